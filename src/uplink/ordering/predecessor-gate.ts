/**
 * Holds a delivery back until its predecessor has ended, and promotes its successors. `gate-reducer.ts` decides; this
 * class carries out the decisions.
 *
 * A process that ends a delivery promotes the successor *before* the delivery's own job ends. If the process dies in
 * between, the successor finds the delivery unfinished and is postponed again; the delivery is called again and
 * promotes the successor once more. A job names its successor, or the successor has recorded its id there.
 */
import { setTimeout as delay } from "node:timers/promises";
import { retryForever } from "../../lib/retry-forever.ts";
import { type DeliveryQueue, isPermanentFailure, isRefusal, postpone } from "../queue/delivery-queue.ts";
import { type Deliver, type GroupTail, type QueuedJob, successorsOf } from "../queue/job.ts";
import { reduceGate } from "./gate-reducer.ts";
import {
  EMPTY_GATE,
  type GateAction,
  type GateCheck,
  type GateEvent,
  type Promotion,
  type Taken,
} from "./gate-state.ts";
import { postponeMs, shortPostponeMs } from "./message-groups.ts";

export interface PredecessorGateOptions {
  deliver: Deliver;
  queue(): Pick<DeliveryQueue, "stateOf" | "recordSuccessor" | "promote">;
  /** Whether the webhook is ordered: false as soon as it has `ordering: none`. */
  isOrdered(): boolean;
  /** Releases a group tail that still has this value. */
  release(tail: GroupTail): Promise<void>;
}

/** A run that waits for the reducer: to pass, or for the promotion of its successors. */
interface WaitingRun {
  job: QueuedJob;
  token: string | undefined;
  proceed(): void;
  fail(error: unknown): void;
}

/** After this time, an end that is not stored yet is read from the store. */
const END_MS = 5_000;
const PROMOTE_AGAIN_MS = 100;
const BACKOFF = { firstMs: 100, maxMs: 1_000 };

/** Gate of one webhook. */
export class PredecessorGate {
  #state = EMPTY_GATE;
  #lastRun = 0;
  readonly #waiting = new Map<number, WaitingRun>();
  readonly #endTimers = new Map<number, NodeJS.Timeout>();
  #stopped = false;

  constructor(private readonly options: PredecessorGateOptions) {}

  readonly deliver: Deliver = async (job, token, endpoint) => {
    const { deliver, isOrdered } = this.options;
    const { place } = job.data;
    if (!place) return deliver(job, token, endpoint);
    const delivery = { run: ++this.#lastRun, id: job.id! };
    const previous = isOrdered() ? place.previous : undefined;
    await this.#until(delivery, job, token, { type: "taken", delivery, previous });
    const promoteSuccessors = () => {
      const successors = successorsOf(job);
      return this.#until(delivery, job, token, { type: "delivered", delivery, successors, now: Date.now() });
    };
    let attempt: Awaited<ReturnType<Deliver>>;
    try {
      attempt = await deliver(job, token, endpoint);
    } catch (error) {
      if (isPermanentFailure(error)) await promoteSuccessors();
      else this.#handle({ type: "interrupted", delivery });
      throw error;
    }
    await promoteSuccessors();
    return attempt;
  };

  /** Call when the end of a job, or of an attempt, is stored. */
  settled(job: QueuedJob): void {
    this.#handle({ type: "end_stored", id: job.id!, tail: job.data.place?.tail });
  }

  /** Ends all waits in memory. */
  stop(): void {
    this.#stopped = true;
    this.#handle({ type: "stopped" });
  }

  /** Resolves when the reducer lets this run proceed. Rejects with the error that ends the run. */
  async #until({ run }: Taken, job: QueuedJob, token: string | undefined, event: GateEvent): Promise<void> {
    try {
      await new Promise<void>((proceed, fail) => {
        this.#waiting.set(run, { job, token, proceed, fail });
        this.#handle(event);
      });
    } finally {
      this.#waiting.delete(run);
    }
  }

  #handle(event: GateEvent): void {
    const { state, actions } = reduceGate(this.#state, event);
    this.#state = state;
    for (const action of actions) this.#act(action);
  }

  #act(action: GateAction): void {
    switch (action.type) {
      case "pass":
      case "finish":
        this.#waiting.get(action.run)?.proceed();
        break;
      case "record_successor": {
        const { check, predecessorRun } = action;
        const record = () => this.options.queue().recordSuccessor(check.previous, check.id);
        this.#check(check, record, (isFound) => ({ type: "recorded", check, predecessorRun, isFound }));
        break;
      }
      case "read_state": {
        const { check, isRecorded } = action;
        const read = () => this.options.queue().stateOf(check.previous);
        this.#check(check, read, (state) => ({ type: "state_read", check, isRecorded, state }));
        break;
      }
      case "postpone":
        void this.#postpone(action.check, action.isPromoted);
        break;
      case "await_end":
        this.#awaitEnd(action.run);
        break;
      case "end_known":
        clearTimeout(this.#endTimers.get(action.run));
        this.#endTimers.delete(action.run);
        break;
      case "promote":
        void this.#promote(action.promotion);
        break;
      case "read_successor":
        void this.#readSuccessor(action.promotion);
        break;
      case "pause_promotion":
        void this.#pausePromotion(action.promotion);
        break;
      case "release":
        this.options.release(action.tail).catch(() => undefined); // it expires
        break;
    }
  }

  /** Makes one step of a check in the store. */
  #check<T>(check: GateCheck, act: () => Promise<T>, toEvent: (result: T) => GateEvent): void {
    this.#untilStored(act).then(
      (result) => this.#handle(toEvent(result)),
      (error: unknown) => {
        this.#handle({ type: "check_failed", check });
        this.#waiting.get(check.run)?.fail(error);
      },
    );
  }

  async #postpone(check: GateCheck, isPromoted: boolean): Promise<void> {
    const { job, token, fail } = this.#waiting.get(check.run)!;
    const ms = isPromoted ? postponeMs(job.attemptsStarted) : shortPostponeMs(job.attemptsStarted);
    const end = await this.#untilStored(() => postpone(job, token, ms)).catch((error: unknown) => error);
    this.#handle({ type: "postponed", check, now: Date.now() });
    fail(end);
  }

  #awaitEnd(run: number): void {
    const overdue = () => this.#handle({ type: "end_overdue", run });
    this.#endTimers.set(run, setTimeout(overdue, END_MS).unref());
  }

  async #promote(promotion: Promotion): Promise<void> {
    const promote = () => this.options.queue().promote(promotion.successors[0]!);
    // It fails only when the gate is stopped.
    const isDone = await this.#untilStored(promote).catch(() => true);
    this.#handle({ type: "promoted", promotion, isDone, now: Date.now() });
  }

  async #readSuccessor(promotion: Promotion): Promise<void> {
    try {
      const state = await this.#untilStored(() => this.options.queue().stateOf(promotion.successors[0]!));
      this.#handle({ type: "successor_read", promotion, state, now: Date.now() });
    } catch (error) {
      this.#handle({ type: "interrupted", delivery: promotion });
      this.#waiting.get(promotion.run)?.fail(error);
    }
  }

  async #pausePromotion(promotion: Promotion): Promise<void> {
    await delay(PROMOTE_AGAIN_MS);
    this.#handle({ type: "promote_again", promotion, now: Date.now() });
  }

  /** Retries while the store is unavailable: a failure would use up an attempt of a message that was not sent. */
  #untilStored<T>(act: () => Promise<T>): Promise<T> {
    const onError = (error: unknown) => {
      if (this.#stopped || isRefusal(error)) throw error;
    };
    return retryForever(act, { backoff: BACKOFF, onError });
  }
}
