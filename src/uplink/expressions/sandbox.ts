/**
 * Sandbox of filters and transforms: evaluates JSONata over events in separate processes. An expression that takes too
 * long or too much memory affects its own webhook only. The fast process evaluates expressions that proved quick, the
 * slow one all others, including those of previews; `sandbox-policy.ts` is the policy. No process starts before the
 * first expression.
 */
import { LRUCache } from "lru-cache";
import { Refused } from "../../errors.ts";
import {
  changed,
  evaluated,
  isAbout,
  isExhausted,
  newcomer,
  overran,
  REFILL_MS,
  type Standing,
  type Texts,
} from "./sandbox-policy.ts";
import type { Evaluated, SandboxTask } from "./sandbox-protocol.ts";
import { type SandboxItem, SandboxWorker } from "./sandbox-worker.ts";

export type { Evaluated } from "./sandbox-protocol.ts";

/** Prefix of the API's keys, whose cost is separate from that of deliveries. The caller's id follows. */
export const FROM_API = "api/";
/** Maximum number of waiting previews per API caller, and of waiting syntax checks. */
const MAX_API_WAITING = 64;
/** Maximum number of keys with a record; a key without one is a newcomer. */
const MAX_KEYS = 10_000;
/** An overrun here delays other tasks: it ends early, and its task is evaluated again in the slow process. */
const FAST = { limitMs: 50, window: 64, niceness: 0, keepsSpare: true };
/** One task at a time: each overrun costs its own task only. */
const SLOW = { limitMs: 100, window: 1, niceness: 10, keepsSpare: false };
/** Minimum debt of an error. */
const ERROR_MS = 1;
/** API callers have new expressions each time, so a caller has one record for all of them. */
const ANY: Texts = {};

export class Sandbox {
  readonly #standings = new LRUCache<string, Standing>({ max: MAX_KEYS });
  readonly #fast: SandboxWorker;
  readonly #slow: SandboxWorker;

  constructor({ maxPayloadBytes: maxBytes }: { maxPayloadBytes: number }) {
    const callbacks = {
      maxBytes,
      onResult: (item: SandboxItem, result: Evaluated, longMs: number) => this.#evaluated(item, result, longMs),
      onReturned: (items: SandboxItem[]) => this.#returned(items),
      onBroken: (items: SandboxItem[], reason: string) => {
        for (const item of items) item.done(refusal(item.task, reason));
      },
    };
    this.#slow = new SandboxWorker({
      ...SLOW,
      ...callbacks,
      onOverrun: (item, result) => {
        item.done(result);
        this.#overran(item);
      },
    });
    this.#fast = new SandboxWorker({
      ...FAST,
      ...callbacks,
      onOverrun: (item) => {
        this.#slow.waiting.put(item.key, item, true);
        this.#overran(item);
        this.#slow.give();
      },
    });
  }

  /**
   * Never rejects. Never resolves once the sandbox is closed.
   * @param key owner of the expressions: a webhook or an API caller; keys take turns
   * @param event JSON text
   */
  evaluate(key: string, { filter, transform }: Texts, event: string): Promise<Evaluated> {
    return this.#evaluate(key, { filter, transform }, event);
  }

  /** Returns the syntax error of an expression; undefined when it is valid. */
  async syntaxError(expression: string): Promise<string | undefined | Refused> {
    const result = await this.#evaluate(FROM_API, { check: expression }, "null");
    if (result.kind === "refused") return refuseEvaluation(result.detail);
    return result.kind === "failed" ? result.detail : undefined;
  }

  /** Ends the processes; remaining tasks are never evaluated. */
  async close(): Promise<void> {
    this.#fast.close();
    this.#slow.close();
  }

  #evaluate(key: string, task: SandboxTask, event: string): Promise<Evaluated> {
    if (isExhausted(this.#standingOf(key, task), Date.now())) return Promise.resolve(refusal(task, EXHAUSTED));
    if (!isApi(key)) {
      // Once a webhook's expressions proved quick, they need not wait for a process to start.
      this.#fast.warm();
    } else if (this.#slow.waiting.count(key) >= MAX_API_WAITING) {
      return Promise.resolve(refusal(task, "too many expressions are waiting to be evaluated"));
    }
    return new Promise((done) => {
      const item = { key, task, event, done };
      this.#workerFor(item).put(item);
    });
  }

  #evaluated(item: SandboxItem, result: Evaluated, longMs: number): void {
    // An error does not prove an expression quick, and costs more than a result.
    const cost = result.kind === "failed" ? Math.max(longMs, ERROR_MS) : longMs;
    this.#settle(item, (standing) => evaluated(standing, cost, Date.now()));
    item.done(result);
  }

  #overran(item: SandboxItem): void {
    this.#settle(item, (standing) => overran(standing, Date.now()));
  }

  /** Puts tasks that a process returned in front of the others again. */
  #returned(items: SandboxItem[]): void {
    for (const item of items.reverse()) this.#workerFor(item).waiting.put(item.key, item, true);
    this.#slow.give();
    this.#fast.give();
  }

  /** Records an evaluation, and moves or refuses all waiting tasks of the key accordingly. */
  #settle({ key, task }: SandboxItem, next: (standing: Standing) => Standing): void {
    const before = this.#standings.get(key);
    if (!before || !isAbout(before, textsOf(key, task))) return;
    const after = next(before);
    if (after === before) return;
    this.#standings.set(key, after);
    const isRefused = isExhausted(after, Date.now());
    if (after.place === before.place && !isRefused) return;
    for (const item of [...this.#slow.waiting.take(key), ...this.#fast.waiting.take(key)]) {
      if (isRefused) item.done(refusal(item.task, EXHAUSTED));
      else this.#workerFor(item).put(item);
    }
  }

  #workerFor({ key, task }: SandboxItem): SandboxWorker {
    const standing = this.#standings.get(key);
    return !isApi(key) && standing?.place === "fast" && isAbout(standing, task) ? this.#fast : this.#slow;
  }

  #standingOf(key: string, task: SandboxTask): Standing {
    const known = this.#standings.get(key);
    const texts = textsOf(key, task);
    if (known && isAbout(known, texts)) return known;
    const standing = known ? changed(known, texts, Date.now()) : newcomer(texts);
    this.#standings.set(key, standing);
    return standing;
  }
}

/** Refuses an API call whose expressions were not evaluated. */
export function refuseEvaluation(detail: string): Refused {
  return new Refused("rate_limited", detail, { retryAfterSeconds: REFILL_MS / 1_000 });
}

function isApi(key: string): boolean {
  return key.startsWith(FROM_API);
}

function textsOf(key: string, task: SandboxTask): Texts {
  return isApi(key) ? ANY : task;
}

const EXHAUSTED = "these expressions exceeded their limits too often";

function refusal({ filter, check }: SandboxTask, detail: string): Evaluated {
  const error = filter !== undefined || check !== undefined ? "filter_error" : "transform_error";
  return { kind: "refused", error, detail: `not evaluated: ${detail}` };
}
