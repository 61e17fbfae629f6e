/** The gate on the reducer behaves like the previous class on random sequences of events. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { DelayedError } from "bullmq";
import fc from "fast-check";
import { PredecessorGate as PreviousGate } from "../../../src/uplink/ordering/predecessor-gate.ts";
import { PredecessorGate as ReducerGate } from "../../../src/uplink/ordering/reducer-gate.ts";
import { type JobState, permanentFailure } from "../../../src/uplink/queue/delivery-queue.ts";
import type { Attempt, DeliveryJob, Place, QueuedJob } from "../../../src/uplink/queue/job.ts";

const ATTEMPT: Attempt = { at: "", statusCode: 204, error: null, durationMs: 1 };
const STATES: readonly (JobState | "gone")[] = ["completed", "failed", "gone", "active", "waiting", "delayed"];
const DELIVERIES = 5;

type Command =
  /** A worker takes a delivery. */
  | { type: "take"; delivery: number; attemptsStarted: number }
  /** One of the pending calls of the store or of the webhook gets its result. */
  | { type: "answer"; which: number; result: number }
  | { type: "settle"; delivery: number }
  | { type: "advance"; ms: number }
  | { type: "stop" };

interface Sequence {
  /** Predecessor and successor of each delivery, and whether the predecessor names other successors in its job. */
  places: { previous: number | undefined; next: number | undefined; left: number | undefined }[];
  ordered: boolean;
  commands: Command[];
}

const delivery = fc.nat(DELIVERIES - 1);
const command: fc.Arbitrary<Command> = fc.oneof(
  { weight: 5, arbitrary: fc.record({ type: fc.constant("take" as const), delivery, attemptsStarted: fc.nat(4) }) },
  { weight: 14, arbitrary: fc.record({ type: fc.constant("answer" as const), which: fc.nat(20), result: fc.nat(99) }) },
  { weight: 3, arbitrary: fc.record({ type: fc.constant("settle" as const), delivery }) },
  {
    weight: 3,
    arbitrary: fc.record({ type: fc.constant("advance" as const), ms: fc.constantFrom(50, 100, 400, 1_000, 5_000) }),
  },
  { weight: 1, arbitrary: fc.constant({ type: "stop" as const }) },
);
const sequence: fc.Arbitrary<Sequence> = fc.record({
  places: fc.array(
    fc.record({
      previous: fc.option(delivery, { nil: undefined, freq: 6 }),
      next: fc.option(delivery, { nil: undefined }),
      left: fc.option(delivery, { nil: undefined, freq: 1 }),
    }),
    { minLength: DELIVERIES, maxLength: DELIVERIES },
  ),
  ordered: fc.integer({ min: 0, max: 19 }).map((n) => n > 0),
  commands: fc.array(command, { minLength: 5, maxLength: 120, size: "max" }),
});

interface Pending {
  resolve(value: unknown): void;
  reject(error: Error): void;
}

/** One gate in a world whose every answer the test gives. */
class World {
  readonly #gate: PreviousGate | ReducerGate;
  readonly #pending = new Map<string, Pending[]>();
  readonly #jobs = new Map<number, QueuedJob>();
  /** Deliveries that were taken and neither called nor postponed yet. */
  readonly #checking = new Set<string>();
  #taken = 0;
  #isStopped = false;
  /** What the gate did since the last look, in order of the alphabet: the order within a turn does not matter. */
  #log: string[] = [];

  constructor(
    Gate: typeof PreviousGate | typeof ReducerGate,
    private readonly sequence: Sequence,
  ) {
    this.#gate = new Gate({
      deliver: async (job, token) => {
        this.#checking.delete(job.id!);
        return (await this.#ask(`call ${job.id} ${token}`)) as Attempt;
      },
      queue: () => ({
        stateOf: (id) => this.#ask(`state ${id}`) as Promise<JobState>,
        recordSuccessor: (id, successor) => this.#ask(`record ${id} ${successor}`) as Promise<boolean>,
        promote: (id) => this.#ask(`promote ${id}`) as Promise<boolean>,
      }),
      isOrdered: () => sequence.ordered,
      release: async ({ value }) => void this.#log.push(`release ${value}`),
    });
  }

  async run(command: Command): Promise<void> {
    switch (command.type) {
      case "take":
        this.#take(command.delivery, command.attemptsStarted);
        break;
      case "answer":
        await this.#answer(command.which, command.result);
        break;
      case "settle": {
        const job = this.#jobs.get(command.delivery);
        if (job) this.#gate.settled(job);
        break;
      }
      case "stop":
        this.#isStopped = true;
        this.#gate.stop();
        break;
      case "advance":
        break; // the clock is shared
    }
  }

  look(): { pending: string[]; log: string[] } {
    const log = this.#log.sort();
    this.#log = [];
    return { pending: [...this.#pending].map(([key, each]) => `${key} × ${each.length}`).sort(), log };
  }

  #take(delivery: number, attemptsStarted: number): void {
    const { previous, next, left } = this.sequence.places[delivery]!;
    const idOf = (n: number) => `m${n}`;
    const id = idOf(delivery);
    // Both gates are correct if a delivery is taken again while it is checked, but the class in use then forgets the
    // other check, so that it promotes the delivery in vain. A delivery may well be taken again while it is called.
    if (this.#checking.has(id)) return;
    this.#checking.add(id);
    const token = `run${++this.#taken}`;
    const place: Place = {
      sequence: 1,
      ...(previous !== undefined && previous !== delivery && { previous: idOf(previous) }),
      ...(next === undefined ? { tail: { key: "k", value: id } } : { next: idOf(next) }),
    };
    const job = {
      id,
      data: { place } as DeliveryJob,
      progress: left === undefined ? 0 : { next: idOf(left) },
      attemptsStarted,
      moveToDelayed: (at: number) => this.#ask(`delay ${id} ${token} to ${at}`),
    } as unknown as QueuedJob;
    this.#jobs.set(delivery, job);
    this.#gate.deliver(job, token, { pause: async () => {} }).then(
      () => this.#log.push(`${token} succeeded`),
      (error: Error) => {
        if (!error.message.startsWith("called")) this.#checking.delete(id);
        this.#log.push(`${token} ${error instanceof DelayedError ? "postponed" : error.message}`);
      },
    );
  }

  #ask(key: string): Promise<unknown> {
    return new Promise((resolve, reject) => {
      this.#pending.set(key, [...(this.#pending.get(key) ?? []), { resolve, reject }]);
    });
  }

  /** Gives all calls of the same kind and arguments the same answer, each in a turn of its own. */
  async #answer(which: number, result: number): Promise<void> {
    const keys = [...this.#pending.keys()].sort();
    if (keys.length === 0) return;
    const key = keys[which % keys.length]!;
    const kind = key.split(" ")[0]!;
    const asked = this.#pending.get(key)!;
    this.#pending.delete(key);
    // A promotion that fails after the stop keeps later checks of the class in use waiting for 5 s, and only then.
    const isAway = kind !== "call" && result >= 88 && !(kind === "state" && this.#isStopped);
    const isRefused = kind === "delay" && result < 15;
    for (const { resolve, reject } of asked) {
      if (isAway) reject(new Error("the store is away"));
      else if (isRefused) reject(Object.assign(new Error("refused"), { code: -2 }));
      else if (kind === "state") resolve(STATES[result % STATES.length]);
      else if (kind === "record") resolve(result % 5 > 0);
      else if (kind === "promote") resolve(result % 2 > 0);
      else if (kind === "delay" || result % 4 > 1) resolve(ATTEMPT);
      else reject(result % 4 === 0 ? new Error("called again") : permanentFailure("called, dead"));
      await nextTurn();
    }
  }
}

/** @returns how often each kind of line occurred, so that the test can tell that it tested them all */
async function compare(t: TestContext, sequence: Sequence, seen: Map<string, number>): Promise<void> {
  const worlds = [new World(PreviousGate, sequence), new World(ReducerGate, sequence)] as const;
  let isStopped = false;
  for (const [i, command] of sequence.commands.entries()) {
    if (command.type === "advance") t.mock.timers.tick(command.ms);
    // A stopped gate gets no more deliveries: its worker is closed.
    else if (!(isStopped && command.type === "take")) for (const world of worlds) await world.run(command);
    isStopped ||= command.type === "stop";
    await nextTurn();
    const [before, after] = worlds.map((world) => world.look());
    assert.deepEqual(after, before, `after command ${i}: ${JSON.stringify(command)}`);
    for (const line of [...before!.pending, ...before!.log]) {
      const kind = line.replace(/(?<= |^)(m|run|to )?\d+/g, "$1");
      seen.set(kind, (seen.get(kind) ?? 0) + 1);
    }
  }
}

describe("the gate on the reducer", () => {
  it("does the same as the previous class on random sequences of events", { timeout: 600_000 }, async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
    t.mock.method(Math, "random", () => 0.5);
    const seen = new Map<string, number>();
    const numRuns = Number(process.env.RUNS ?? 1_000);
    await fc.assert(
      fc.asyncProperty(sequence, (each) => compare(t, each, seen)),
      { numRuns },
    );
    t.diagnostic(JSON.stringify([...seen].sort()));
  });
});
