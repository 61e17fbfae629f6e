/** State, events and actions of the predecessor gate; `gate-reducer.ts` has its rules. */
import type { JobState } from "../queue/delivery-queue.ts";
import type { GroupTail } from "../queue/job.ts";

/** A delivery taken by a worker. Each time has its own number: a stalled job may be taken twice. */
export interface Taken {
  run: number;
  id: string;
}

export interface GateCheck extends Taken {
  previous: string;
}

/** Promotion of the successors of a run, one after the other. */
export interface Promotion extends Taken {
  /** The first one is next. */
  successors: readonly string[];
  /** End of the wait for a successor that another process is about to postpone. */
  until: number;
}

interface Run {
  /** Successors that found the delivery running, and are postponed. */
  successors: ReadonlySet<string>;
  /** The successors are being promoted; checks that come later wait here until the end is stored. */
  isEnding: boolean;
  waiting: readonly GateCheck[];
}

export interface GateState {
  /** Current run of each delivery that passed the gate in this process, until its end is stored. */
  current: ReadonlyMap<string, number>;
  /** Runs until their end is stored, or is overdue: then only the store knows the end. */
  runs: ReadonlyMap<number, Run>;
  /** Deliveries that are checking their predecessor, and runs in which deliveries are being postponed. */
  checking: ReadonlySet<string>;
  postponing: ReadonlyMap<string, number>;
  /** Promotions that wait until a run has postponed its delivery. */
  promotions: ReadonlyMap<number, readonly Promotion[]>;
  /** The last deliveries that ended in this process, in chunks: a copy of all of them would cost 80 µs each time. */
  ended: readonly ReadonlySet<string>[];
}

export type GateEvent =
  | { type: "taken"; delivery: Taken; previous: string | undefined }
  /** @param predecessorRun run of the predecessor in this process, in which it finds the successor */
  | { type: "recorded"; check: GateCheck; predecessorRun: number | undefined; isFound: boolean }
  | { type: "state_read"; check: GateCheck; isRecorded: boolean; state: JobState | "gone" }
  | { type: "check_failed"; check: GateCheck }
  | { type: "postponed"; check: GateCheck; now: number }
  /** The delivery succeeded or became a dead letter; its end is not stored yet. */
  | { type: "delivered"; delivery: Taken; successors: readonly string[]; now: number }
  /** The delivery has to be made again. */
  | { type: "interrupted"; delivery: Taken }
  | { type: "promoted"; promotion: Promotion; isDone: boolean; now: number }
  | { type: "successor_read"; promotion: Promotion; state: JobState | "gone"; now: number }
  | { type: "promote_again"; promotion: Promotion; now: number }
  /** The end of the job, or of an attempt, is stored. */
  | { type: "end_stored"; id: string; tail: GroupTail | undefined }
  | { type: "end_overdue"; run: number }
  | { type: "stopped" };

export type GateAction =
  /** Let the run call the webhook. */
  | { type: "pass"; run: number }
  | { type: "record_successor"; check: GateCheck; predecessorRun: number | undefined }
  | { type: "read_state"; check: GateCheck; isRecorded: boolean }
  /** @param isPromoted the predecessor will promote the delivery; otherwise it must check again soon */
  | { type: "postpone"; check: GateCheck; isPromoted: boolean }
  | { type: "await_end"; run: number }
  | { type: "end_known"; run: number }
  | { type: "promote"; promotion: Promotion }
  | { type: "read_successor"; promotion: Promotion }
  | { type: "pause_promotion"; promotion: Promotion }
  /** All successors are promoted. */
  | { type: "finish"; run: number }
  | { type: "release"; tail: GroupTail };

export interface GateStep {
  state: GateState;
  actions: readonly GateAction[];
}

export const EMPTY_GATE: GateState = {
  current: new Map(),
  runs: new Map(),
  checking: new Set(),
  postponing: new Map(),
  promotions: new Map(),
  ended: [],
};
