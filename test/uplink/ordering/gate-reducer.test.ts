/** The predecessor gate in a model of several processes and one store, with every order of steps possible. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { reduceGate } from "../../../src/uplink/ordering/gate-reducer.ts";
import {
  EMPTY_GATE,
  type GateAction,
  type GateEvent,
  type GateState,
  type Taken,
} from "../../../src/uplink/ordering/gate-state.ts";
import fc from "../../support/property.ts";

/** `held`: postponed until it is promoted; the long delay never ends here. `delayed`: by a back-off or a short delay. */
type ModelState = "waiting" | "active" | "held" | "delayed" | "completed";

interface ModelJob {
  state: ModelState;
  previous: string | undefined;
  /** Successor that was added with this job. */
  next: string | undefined;
  /** Successor recorded later. */
  recorded: string | undefined;
  /** Lock: the run that may change the job. */
  run: number;
}

interface Scenario {
  processes: number;
  /** For each delivery but the first: whether it was added with its predecessor, and therefore postponed. */
  together: boolean[];
  /** `stalls`: locks also expire while the process lives, so that two processes call a delivery at once. */
  faults: "none" | "deaths" | "stalls";
  choices: number[];
}

interface Move {
  weight: number;
  make(): void;
}

class Process {
  gate: GateState = EMPTY_GATE;
  /** Steps under way: requests to the store, and its responses. */
  steps: (() => void)[] = [];
  /** Runs whose webhook call is in progress. */
  calls: Taken[] = [];
  timers = new Set<number>();
  runs = new Map<number, { id: string; successors: string[] }>();
}

class Model {
  readonly jobs = new Map<string, ModelJob>();
  readonly processes: Process[];
  #now = 0;
  #lastRun = 0;

  constructor(private readonly scenario: Scenario) {
    this.processes = Array.from({ length: scenario.processes }, () => new Process());
    const { together } = scenario;
    for (let i = 0; i <= together.length; i++) {
      this.jobs.set(`m${i}`, {
        state: i > 0 && together[i - 1] ? "held" : "waiting",
        previous: i > 0 ? `m${i - 1}` : undefined,
        next: together[i] ? `m${i + 1}` : undefined,
        recorded: undefined,
        run: 0,
      });
    }
  }

  run(): void {
    for (const choice of this.scenario.choices) this.#step(choice, this.scenario.faults !== "none");
    // Then without faults, until nothing is left to do; pseudo-random numbers let no step wait forever.
    for (let i = 0, number = 1; this.#step(number >>> 8, false) || this.#endLongDelays(); i++) {
      assert.ok(i < 4_000, "the deliveries end");
      number = Math.imul(number, 1_103_515_245) + 12_345;
    }
    for (const [id, { state }] of this.jobs) assert.equal(state, "completed", `${id} is delivered`);
  }

  /** A run that has lost its lock may leave a successor to its long delay. @returns whether a delivery was postponed */
  #endLongDelays(): boolean {
    const held = [...this.jobs.values()].filter(({ state }) => state === "held");
    if (this.scenario.faults !== "stalls") return false;
    for (const job of held) job.state = "waiting";
    return held.length > 0;
  }

  #step(choice: number, faults: boolean): boolean {
    const moves = this.#moves(faults);
    let left =
      choice %
      Math.max(
        1,
        moves.reduce((sum, { weight }) => sum + weight, 0),
      );
    const move = moves.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
    this.#now++;
    move?.make();
    return move !== undefined;
  }

  #moves(faults: boolean): Move[] {
    const moves: Move[] = [];
    for (const [id, job] of this.jobs) {
      if (job.state === "delayed") moves.push({ weight: 4, make: () => (job.state = "waiting") });
      if (job.state === "waiting") {
        for (const process of this.processes) moves.push({ weight: 4, make: () => this.#take(process, id, job) });
      }
      if (job.state === "active" && faults && this.scenario.faults === "stalls")
        moves.push({ weight: 1, make: () => (job.state = "waiting") });
    }
    for (const process of this.processes) {
      for (const [i, step] of process.steps.entries()) {
        moves.push({
          weight: 8,
          make() {
            process.steps.splice(i, 1);
            step();
          },
        });
      }
      for (const call of process.calls) {
        moves.push({ weight: 4, make: () => this.#end(process, call, true) });
        if (faults) moves.push({ weight: 2, make: () => this.#end(process, call, false) });
      }
      for (const run of process.timers) {
        moves.push({ weight: 1, make: () => this.#handle(process, { type: "end_overdue", run }) });
      }
      if (faults && process.runs.size > 0) moves.push({ weight: 1, make: () => this.#die(process) });
    }
    return moves;
  }

  #take(process: Process, id: string, job: ModelJob): void {
    job.state = "active";
    job.run = ++this.#lastRun;
    const successors = [job.next, job.recorded].filter((each) => each !== undefined);
    process.runs.set(job.run, { id, successors });
    this.#handle(process, { type: "taken", delivery: { run: job.run, id }, previous: job.previous });
  }

  #end(process: Process, call: Taken, isDelivered: boolean): void {
    process.calls = process.calls.filter((each) => each !== call);
    const { successors } = process.runs.get(call.run)!;
    if (isDelivered) {
      this.#handle(process, { type: "delivered", delivery: call, successors, now: this.#now });
    } else {
      this.#handle(process, { type: "interrupted", delivery: call });
      process.steps.push(() => this.#change(process, call, "delayed"));
    }
  }

  /** Changes a job at the end of its run, unless the run has lost its lock. */
  #change(process: Process, { run, id }: Taken, state: ModelState): boolean {
    process.runs.delete(run);
    const job = this.jobs.get(id)!;
    if (job.state !== "active" || job.run !== run) return false;
    job.state = state;
    return true;
  }

  /** A process that dies loses its memory and its locks. */
  #die(process: Process): void {
    for (const [run, { id }] of process.runs) {
      const job = this.jobs.get(id)!;
      if (job.state === "active" && job.run === run) job.state = "waiting";
    }
    Object.assign(process, new Process());
  }

  #handle(process: Process, event: GateEvent): void {
    const { state, actions } = reduceGate(process.gate, event);
    process.gate = state;
    for (const action of actions) this.#act(process, action);
  }

  #act(process: Process, action: GateAction): void {
    /** The store executes the request at some time, and its response arrives at some later time. */
    const request = <T>(execute: () => T, toEvent: (result: T) => GateEvent) =>
      process.steps.push(() => {
        const result = execute();
        process.steps.push(() => this.#handle(process, toEvent(result)));
      });
    switch (action.type) {
      case "pass":
        this.#pass(process, action.run);
        break;
      case "record_successor": {
        const { check, predecessorRun } = action;
        const record = () => {
          this.jobs.get(check.previous)!.recorded = check.id;
        };
        request(record, () => ({ type: "recorded", check, predecessorRun, isFound: true }));
        break;
      }
      case "read_state": {
        const { check, isRecorded } = action;
        request(
          () => this.#stateOf(check.previous),
          (state) => ({ type: "state_read", check, isRecorded, state }),
        );
        break;
      }
      case "postpone": {
        const { check, isPromoted } = action;
        request(
          () => this.#change(process, check, isPromoted ? "held" : "delayed"),
          () => ({ type: "postponed", check, now: this.#now }),
        );
        break;
      }
      case "promote": {
        const { promotion } = action;
        request(
          () => this.#promote(promotion.successors[0]!),
          (isDone) => ({ type: "promoted", promotion, isDone, now: this.#now }),
        );
        break;
      }
      case "read_successor": {
        const { promotion } = action;
        request(
          () => this.#stateOf(promotion.successors[0]!),
          (state) => ({ type: "successor_read", promotion, state, now: this.#now }),
        );
        break;
      }
      case "pause_promotion": {
        const { promotion } = action;
        process.steps.push(() => this.#handle(process, { type: "promote_again", promotion, now: this.#now }));
        break;
      }
      case "finish":
        this.#finish(process, action.run);
        break;
      case "await_end":
        process.timers.add(action.run);
        break;
      case "end_known":
        process.timers.delete(action.run);
        break;
      case "release":
        break;
    }
  }

  #pass(process: Process, run: number): void {
    const { id } = process.runs.get(run)!;
    const { previous } = this.jobs.get(id)!;
    if (previous !== undefined) {
      assert.equal(this.jobs.get(previous)!.state, "completed", `${id} is called after ${previous}`);
    }
    process.calls.push({ run, id });
  }

  #finish(process: Process, run: number): void {
    const { id } = process.runs.get(run)!;
    process.steps.push(() => {
      if (!this.#change(process, { run, id }, "completed")) return;
      process.steps.push(() => this.#handle(process, { type: "end_stored", id, tail: undefined }));
    });
  }

  #promote(id: string): boolean {
    const job = this.jobs.get(id)!;
    if (job.state !== "held" && job.state !== "delayed") return false;
    job.state = "waiting";
    return true;
  }

  #stateOf(id: string): "waiting" | "active" | "delayed" | "completed" {
    const { state } = this.jobs.get(id)!;
    return state === "held" ? "delayed" : state;
  }
}

const scenario: fc.Arbitrary<Scenario> = fc.record({
  processes: fc.integer({ min: 1, max: 3 }),
  together: fc.array(fc.boolean(), { minLength: 1, maxLength: 4 }),
  faults: fc.constantFrom("none", "deaths", "stalls"),
  choices: fc.array(fc.nat(10_000), { maxLength: 300, size: "max" }),
});

describe("the predecessor gate", () => {
  it("calls each delivery after the end of its predecessor, and forgets none, whatever fails", () => {
    fc.assert(
      fc.property(scenario, (each) => new Model(each).run()),
      { numRuns: Number(process.env.RUNS ?? 2_000) },
    );
  });
});
