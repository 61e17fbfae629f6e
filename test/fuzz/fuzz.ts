/** Sends concurrent calls, and checks every response and, at intervals, the whole system. */
import { loadDocument, operationsOf } from "../../src/http/document.ts";
import { type Call, toCommand } from "./call.ts";
import { Generator } from "./generate.ts";
import type { Group } from "./hostile.ts";
import { codeOf, isJson, Judge, jsonOf } from "./judge.ts";
import { type Outcome, Sender } from "./send.ts";
import { State } from "./state.ts";
import { startWorld, type World, type WorldOptions } from "./world.ts";

export interface FuzzOptions extends WorldOptions {
  seed: number;
  calls: number;
  concurrency: number;
  without: ReadonlySet<Group>;
  progress: (line: string) => void;
}

export interface FuzzReport {
  /** Faults, each kind once, with a command to reproduce it. */
  faults: string[];
  /** Count of each status per operation. */
  statuses: Map<string, Map<string, number>>;
  /** Operations that never succeeded, so that the code after their checks was not reached. */
  neverSucceeded: string[];
  /** Resident memory in MB after half of the calls, and after all. */
  megabytes: { half: number; end: number };
  callsPerSecond: number;
}

/** Calls sent at once while an operation has not succeeded, up to this many times the calls of the run. */
const ROUND = 100;
const LONGEST = 3;
/** Calls between two checks of the whole system. */
const LOOK_EVERY = 1_000;
/** Results are used a fixed number of calls later, in call order, so that the same seed makes the same calls. */
const BEHIND = 4;
/** Limit, because more webhooks and keys reveal little and add work to each message. */
const KEPT_WEBHOOKS = 15;
const KEPT_KEYS = 15;
/** They need a token that only the receiver gets, or catch a replay or a request while it is pending. */
const MAY_FAIL = ["confirmWebhook", "confirmWebhookByPost", "cancelReplay", "cancelRequest"];
/** Permitted growth, because heaps grow in steps and shrink late. */
const GROWTH_MB = 64;
const ENOUGH_FAULTS = 25;

export async function fuzz(options: FuzzOptions): Promise<FuzzReport> {
  const world = await startWorld(options);
  try {
    return await new Run(options, world).run();
  } finally {
    await world.close();
  }
}

const { openapi } = await loadDocument();

class Run {
  readonly #state = new State();
  readonly #generator: Generator;
  readonly #judge = new Judge(openapi, this.#state);
  readonly #sender: Sender;
  readonly #faults = new Map<string, { text: string; count: number }>();
  readonly #statuses: FuzzReport["statuses"] = new Map();
  #next = 0;

  constructor(
    private readonly options: FuzzOptions,
    private readonly world: World,
  ) {
    const { seed, without } = options;
    const { apiKey, receiver, bridge } = world;
    this.#generator = new Generator({ seed, openapi: openapi, apiKey, receiver, without }, this.#state);
    this.#sender = new Sender(new URL(bridge.url));
  }

  async run(): Promise<FuzzReport> {
    const { calls, progress } = this.options;
    const startedAt = Date.now();
    const half = Math.ceil(calls / 2);
    const looks = new Set([half, calls]);
    for (let at = LOOK_EVERY; at < calls; at += LOOK_EVERY) looks.add(at);
    const megabytes = { half: 0, end: 0 };
    for (const at of [...looks].sort((a, b) => a - b)) {
      await this.#sendUntil(at);
      await this.#look();
      megabytes.end = this.world.residentMegabytes();
      if (at === half) megabytes.half = megabytes.end;
      progress(`${at} calls, ${Math.round(megabytes.end)} MB, ${this.#faults.size} faults`);
      if (!this.world.bridge.running || this.#faults.size >= ENOUGH_FAULTS) break;
    }
    await this.#sendUntilAllSucceeded(calls * LONGEST);
    const callsPerSecond = (this.#next * 1_000) / (Date.now() - startedAt);
    for (const fault of await this.#sender.waited()) this.#fault(fault, () => fault);
    this.#sender.close();
    const grown = Math.round(megabytes.end - megabytes.half);
    if (grown > GROWTH_MB)
      this.#fault("memory", () => `the second half of the calls made the bridge ${grown} MB larger`);
    const faults = [...this.#faults.values()].map(({ text, count }) =>
      count > 1 ? `${text}\n  (${count} times)` : text,
    );
    return { faults, statuses: this.#statuses, neverSucceeded: this.#neverSucceeded(), megabytes, callsPerSecond };
  }

  /** An operation whose conditions are rare may need some luck. */
  async #sendUntilAllSucceeded(end: number): Promise<void> {
    while (this.world.bridge.running && this.#neverSucceeded().length > 0 && this.#next < end)
      await this.#sendUntil(Math.min(end, this.#next + ROUND));
  }

  /** Sends the calls up to this number in order, and processes their results in the same order. */
  async #sendUntil(end: number): Promise<void> {
    const { concurrency } = this.options;
    const sent: Promise<[Call, Outcome]>[] = [];
    let underWay = 0;
    let room = () => {};
    while (this.#next < end || sent.length > 0) {
      if (sent.length === concurrency * BEHIND || this.#next === end) {
        this.#take(...(await sent.shift()!));
        continue;
      }
      if (underWay === concurrency) await new Promise<void>((resolve) => (room = resolve));
      const call = this.#generator.make(++this.#next);
      underWay++;
      const outcome = this.#sender.send(call).finally(() => {
        underWay--;
        room();
      });
      sent.push(outcome.then((result) => [call, result]));
    }
  }

  #take(call: Call, outcome: Outcome): void {
    const name = call.operation ?? (call.raw ? "raw" : "nowhere");
    const counts = this.#statuses.get(name) ?? new Map<string, number>();
    this.#statuses.set(name, counts);
    for (const reply of outcome.replies) {
      const status = `${reply.status}${reply.status < 400 ? "" : ` ${codeOf(reply) ?? ""}`}`;
      counts.set(status, (counts.get(status) ?? 0) + 1);
    }
    if (outcome.replies.length === 0) counts.set("none", (counts.get("none") ?? 0) + 1);
    for (const fault of this.#judge.faults(call, outcome)) this.#faultOf(name, call, fault, outcome.tookMs);
    if (call.raw) return;
    for (const reply of outcome.replies) {
      if (reply.status < 300 && isJson(call, reply)) this.#state.learn(call.operation, call.path, jsonOf(reply));
    }
    if (outcome.replies[0]?.status === 204) this.#state.learn(call.operation, call.path, undefined);
  }

  #faultOf(name: string, call: Call, fault: string, tookMs: number): void {
    const key = `${name} ${fault.replaceAll(/[\w-]*\d[\w-]*/g, "0").slice(0, 80)}`;
    this.#fault(key, () => {
      const { seed } = this.options;
      const where = `seed ${seed}, call ${call.number}, ${name}, after ${Math.round(tookMs)} ms`;
      return `${where}: ${fault.slice(0, 500)}\n  ${toCommand(call, this.world.bridge.url, seed)}`;
    });
  }

  /** Reports each kind of fault once. */
  #fault(key: string, tell: () => string): void {
    const known = this.#faults.get(key);
    if (known) {
      known.count++;
      return;
    }
    const text = tell();
    this.#faults.set(key, { text, count: 1 });
    this.options.progress(text);
  }

  /** Checks that everything works and no defect was logged, and deletes surplus webhooks and keys. */
  async #look(): Promise<void> {
    const before = `seed ${this.options.seed}, before call ${this.#next + 1}`;
    for (const ailment of await this.world.ailments()) this.#fault(ailment, () => `${before}: ${ailment}`);
    for (const line of this.world.newErrors())
      this.#fault(line.replaceAll(/\d+/g, "0").slice(0, 80), () => `${before}, in the log: ${line.slice(0, 1_000)}`);
    if (!this.world.bridge.running) return;
    const { webhooks, keys } = this.#state;
    for (const id of [...webhooks.keys()].slice(0, -KEPT_WEBHOOKS)) await this.#remove("webhooks", id);
    for (const { id } of keys.slice(0, -KEPT_KEYS)) await this.#remove("keys", id);
  }

  async #remove(kind: "webhooks" | "keys", id: string): Promise<void> {
    const path = `/v1/${kind}/${id}`;
    const { status } = await this.world.bridge.api("DELETE", path);
    if (status === 204) this.#state.learn(kind === "keys" ? "deleteKey" : "deleteWebhook", path, undefined);
  }

  #neverSucceeded(): string[] {
    return operationsOf(openapi)
      .map(({ operation }) => operation.operationId)
      .filter(
        (id) =>
          !MAY_FAIL.includes(id) &&
          ![...(this.#statuses.get(id)?.keys() ?? [])].some((status) => status.startsWith("2")),
      );
  }
}
