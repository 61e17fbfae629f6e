/**
 * Holds a delivery back until its predecessor has ended, and promotes its successors.
 *
 * A process that ends a delivery promotes the successor *before* the delivery's own job ends. If the process dies in
 * between, the successor finds the delivery unfinished and is postponed again; the delivery is called again and
 * promotes the successor once more. A job names its successor, or the successor has recorded its id there. If a
 * successor checks and is postponed while its predecessor ends, each of the two detects the steps of the other:
 * - within one process, through `#running`, `#checking` and `#postponing`, which change together with the steps;
 * - with another process that runs deliveries of this webhook, through the states of the jobs in the store, and where
 *   these are inconclusive (`active`), by another check soon.
 */
import { type DeliveryQueue, isPermanentFailure, isRefusal, type JobState, postpone } from "../queue/delivery-queue.ts";
import { type Deliver, type GroupTail, type QueuedJob, successorsOf } from "../queue/job.ts";
import { isEnd, postponeMs, shortPostponeMs } from "./message-groups.ts";

export interface PredecessorGateOptions {
  deliver: Deliver;
  queue(): Pick<DeliveryQueue, "stateOf" | "recordSuccessor" | "promote">;
  /** Whether the webhook is ordered: false as soon as it has `ordering: none`. */
  isOrdered(): boolean;
  /** Releases a group tail that still has this value. */
  release(tail: GroupTail): Promise<void>;
}

interface Running {
  /** Successors that found the delivery running, and are postponed. */
  successors: Set<string>;
  /** Set once the successors are being promoted; a successor that comes later awaits it. */
  ended?: Promise<void>;
  end?: () => void;
}

const MAX_REMEMBERED = 1_000;
/** After this time, an end that is not stored yet is read from the store. */
const END_MS = 5_000;
/** Longest wait for a successor that another process is about to postpone. */
const PROMOTE_MS = 5_000;
const LOOK_MS = 100;
const RETRY_MAX_MS = 1_000;

/** Gate of one webhook. */
export class PredecessorGate {
  /** Deliveries that passed the gate in this process, until their end is stored. */
  readonly #running = new Map<string, Running>();
  /** Deliveries that are checking their predecessor, and deliveries that are being postponed. */
  readonly #checking = new Set<string>();
  readonly #postponing = new Map<string, Promise<void>>();
  /** The last deliveries that ended in this process. */
  readonly #ended = new Set<string>();
  #stopped = false;

  constructor(private readonly options: PredecessorGateOptions) {}

  readonly deliver: Deliver = async (job, token, endpoint) => {
    const { deliver, isOrdered } = this.options;
    const { place } = job.data;
    if (!place) return deliver(job, token, endpoint);
    const id = job.id!;
    if (place.previous !== undefined && isOrdered()) await this.#waitFor(place.previous, job, token);
    const running: Running = { successors: new Set() };
    this.#running.set(id, running);
    try {
      const attempt = await deliver(job, token, endpoint);
      await this.#promoteSuccessors(job, running);
      return attempt;
    } catch (error) {
      if (isPermanentFailure(error)) await this.#promoteSuccessors(job, running);
      else if (this.#running.get(id) === running) this.#running.delete(id);
      throw error;
    }
  };

  /** Call when the end of a job, or of an attempt, is stored. */
  settled(job: QueuedJob): void {
    const running = this.#running.get(job.id!);
    if (!running?.end) return;
    this.#running.delete(job.id!);
    this.#ended.add(job.id!);
    if (this.#ended.size > MAX_REMEMBERED) this.#ended.delete(this.#ended.keys().next().value!);
    running.end();
    const { tail } = job.data.place ?? {};
    if (tail) this.options.release(tail).catch(() => undefined); // it expires
  }

  /** Ends all waits in memory. */
  stop(): void {
    this.#stopped = true;
    for (const { end } of this.#running.values()) end?.();
  }

  /** Resolves when `previous` has ended; otherwise postpones the job and throws. */
  async #waitFor(previous: string, job: QueuedJob, token: string | undefined): Promise<void> {
    const id = job.id!;
    this.#checking.add(id);
    try {
      for (;;) {
        if (this.#ended.has(previous)) return;
        const running = this.#running.get(previous);
        if (running?.ended) {
          await running.ended;
          // No end within the time: only the store knows it.
          if (this.#running.get(previous) === running) this.#running.delete(previous);
          continue;
        }
        if (running) {
          running.successors.add(id);
          // The predecessor may have to be retried, by any process.
          await this.#recordSuccessor(previous, id);
          if (this.#running.get(previous) !== running || running.ended) continue;
          throw await this.#postpone(job, token, postponeMs(job.attemptsStarted));
        }
        const state = await this.#stateOf(previous);
        if (isEnd(state)) return;
        if (state !== "active" && (await this.#recordSuccessor(previous, id))) {
          // If the predecessor still waits after this id is recorded, the process that takes it finds the id.
          const now = await this.#stateOf(previous);
          if (isEnd(now)) return;
          if (now !== "active") {
            if (this.#running.has(previous)) continue;
            throw await this.#postpone(job, token, postponeMs(job.attemptsStarted));
          }
        }
        if (this.#running.has(previous) || this.#ended.has(previous)) continue;
        throw await this.#postpone(job, token, shortPostponeMs(job.attemptsStarted));
      }
    } finally {
      this.#checking.delete(id);
    }
  }

  async #postpone(job: QueuedJob, token: string | undefined, ms: number): Promise<Error> {
    const parked = this.#untilStored(() => postpone(job, token, ms));
    const parking = parked.then(noop, noop);
    // From one set to the other in one step: a promotion must not mistake this delivery for one that still checks.
    this.#postponing.set(job.id!, parking);
    this.#checking.delete(job.id!);
    try {
      return await parked;
    } finally {
      this.#postponing.delete(job.id!);
    }
  }

  #stateOf(id: string): Promise<JobState | "gone"> {
    return this.#untilStored(() => this.options.queue().stateOf(id));
  }

  /** @returns false when the predecessor is gone */
  #recordSuccessor(previous: string, id: string): Promise<boolean> {
    return this.#untilStored(() => this.options.queue().recordSuccessor(previous, id));
  }

  async #promoteSuccessors(job: QueuedJob, running: Running): Promise<void> {
    running.ended = new Promise((resolve) => {
      const timer = setTimeout(resolve, END_MS).unref();
      running.end = () => resolve(clearTimeout(timer));
    });
    for (const id of new Set([...successorsOf(job), ...running.successors])) await this.#promote(id);
  }

  async #promote(id: string): Promise<void> {
    await this.#postponing.get(id);
    const end = Date.now() + PROMOTE_MS;
    while (!this.#checking.has(id)) {
      try {
        if (await this.#untilStored(() => this.options.queue().promote(id))) return;
      } catch {
        return; // stopped
      }
      // The successor waits for its check, or another process has checked it and is about to postpone it.
      if ((await this.#stateOf(id)) !== "active" || Date.now() > end) return;
      await pause(LOOK_MS);
    }
  }

  /** Retries while the store is unavailable: a failure would use up an attempt of a message that was not sent. */
  async #untilStored<T>(act: () => Promise<T>): Promise<T> {
    for (let ms = LOOK_MS; ; ms = Math.min(ms * 2, RETRY_MAX_MS)) {
      try {
        return await act();
      } catch (error) {
        if (this.#stopped || isRefusal(error)) throw error;
        await pause(ms);
      }
    }
  }
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function noop(): void {}
