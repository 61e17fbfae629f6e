/**
 * Holds a delivery back until the one before it in its line has ended, and wakes the one behind it.
 *
 * Whoever ends a delivery wakes the next one *before* its own job ends: if the process dies in between, the next one
 * looks, finds this one unfinished and is parked again, and this one is called again and wakes it once more. The next
 * one is known from the job, or has left its id with the one it waits for. Where it looks and parks while the one
 * before it ends, each step of the two knows of the other:
 * - in one process, through `#running`, `#looking` and `#parking`, which change together with the steps;
 * - with another one that took up deliveries of this webhook as well, through the states of the jobs in the store, and
 *   where these cannot tell (`active`) by looking again soon.
 */
import { DelayedError, Job, type Queue, UnrecoverableError } from "bullmq";
import { type Deliver, type DeliveryJob, type GroupTail, successorsOf } from "../queue/job.ts";
import { isEnd, postponeMs, shortPostponeMs } from "./message-groups.ts";

export interface PredecessorGateOptions {
  deliver: Deliver;
  queue(): Queue<DeliveryJob>;
  /** Whether the order counts: false as soon as the webhook has `ordering: none`. */
  isOrdered(): boolean;
  /** Takes back a tail that holds this value still. */
  release(tail: GroupTail): Promise<void>;
}

interface Running {
  /** Those that found it under way, and have been parked. */
  successors: Set<string>;
  /** Set once it wakes those behind it: who comes now waits for this. */
  ended?: Promise<void>;
  end?: () => void;
}

/** BullMQ's codes of a job that is gone, and of one that is not in the expected state. */
const GONE = -1;
const OTHER_STATE = -3;
const MAX_REMEMBERED = 1_000;
/** An end that did not reach the store by then is looked up. */
const END_MS = 5_000;
/** How long one is waited for that another process is about to park. */
const PROMOTE_MS = 5_000;
const LOOK_MS = 100;
const RETRY_MAX_MS = 1_000;

/** For one webhook. */
export class PredecessorGate {
  /** The deliveries that this process has let through, until their end is in the store. */
  readonly #running = new Map<string, Running>();
  /** Those that are being looked at, and those that are being parked. */
  readonly #checking = new Set<string>();
  readonly #postponing = new Map<string, Promise<void>>();
  /** The last that ended here. */
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
      if (error instanceof UnrecoverableError) await this.#promoteSuccessors(job, running);
      else if (this.#running.get(id) === running) this.#running.delete(id);
      throw error;
    }
  };

  /** To be called when the end of a job, or of an attempt, is in the store. */
  settled(job: Job<DeliveryJob>): void {
    const running = this.#running.get(job.id!);
    if (!running?.end) return;
    this.#running.delete(job.id!);
    this.#ended.add(job.id!);
    if (this.#ended.size > MAX_REMEMBERED) this.#ended.delete(this.#ended.keys().next().value!);
    running.end();
    const { tail } = job.data.place ?? {};
    if (tail) this.options.release(tail).catch(() => undefined); // it expires
  }

  /** What is waited for in memory is given up. */
  stop(): void {
    this.#stopped = true;
    for (const { end } of this.#running.values()) end?.();
  }

  /** Resolves when `previous` has ended; otherwise parks the job and throws. */
  async #waitFor(previous: string, job: Job<DeliveryJob>, token: string | undefined): Promise<void> {
    const id = job.id!;
    this.#checking.add(id);
    try {
      for (;;) {
        if (this.#ended.has(previous)) return;
        const running = this.#running.get(previous);
        if (running?.ended) {
          await running.ended;
          // In vain: only the store knows.
          if (this.#running.get(previous) === running) this.#running.delete(previous);
          continue;
        }
        if (running) {
          running.successors.add(id);
          // It may have to be tried again, by whatever process.
          await this.#recordSuccessor(previous, id);
          if (this.#running.get(previous) !== running || running.ended) continue;
          await this.#postpone(job, token, postponeMs(job.attemptsStarted));
          throw new DelayedError();
        }
        const state = await this.#stateOf(previous);
        if (isEnd(state)) return;
        if (state !== "active" && (await this.#recordSuccessor(previous, id))) {
          // It was still waiting after our id lay with it, so whoever takes it up finds that.
          const now = await this.#stateOf(previous);
          if (isEnd(now)) return;
          if (now !== "active") {
            if (this.#running.has(previous)) continue;
            await this.#postpone(job, token, postponeMs(job.attemptsStarted));
            throw new DelayedError();
          }
        }
        if (this.#running.has(previous) || this.#ended.has(previous)) continue;
        await this.#postpone(job, token, shortPostponeMs(job.attemptsStarted));
        throw new DelayedError();
      }
    } finally {
      this.#checking.delete(id);
    }
  }

  async #postpone(job: Job<DeliveryJob>, token: string | undefined, ms: number): Promise<void> {
    const parked = this.#untilStored(() => job.moveToDelayed(Date.now() + ms, token));
    const parking = parked.then(noop, noop);
    // From one to the other in one step: who wakes it must not take it for one that still looks.
    this.#postponing.set(job.id!, parking);
    this.#checking.delete(job.id!);
    try {
      await parked;
    } finally {
      this.#postponing.delete(job.id!);
    }
  }

  #stateOf(id: string): Promise<string> {
    return this.#untilStored(() => this.options.queue().getJobState(id));
  }

  /** @returns false when the other one is gone */
  async #recordSuccessor(previous: string, id: string): Promise<boolean> {
    try {
      await this.#untilStored(() => this.options.queue().updateJobProgress(previous, { next: id }));
      return true;
    } catch (error) {
      if (codeOf(error) === GONE) return false;
      throw error;
    }
  }

  async #promoteSuccessors(job: Job<DeliveryJob>, running: Running): Promise<void> {
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
        await this.#untilStored(() => promote(this.options.queue(), id));
        return;
      } catch (error) {
        if (codeOf(error) !== OTHER_STATE) return; // gone
      }
      // It waits to be looked at, or was looked at by another process that is about to park it.
      if ((await this.#stateOf(id)) !== "active" || Date.now() > end) return;
      await pause(LOOK_MS);
    }
  }

  /** While the store is away there is no answer; a failure would use up an attempt of a message that was not sent. */
  async #untilStored<T>(act: () => Promise<T>): Promise<T> {
    for (let ms = LOOK_MS; ; ms = Math.min(ms * 2, RETRY_MAX_MS)) {
      try {
        return await act();
      } catch (error) {
        if (this.#stopped || codeOf(error) !== undefined) throw error;
        await pause(ms);
      }
    }
  }
}

/** Without reading the job, whose payload may be large: only its id counts. */
async function promote(queue: Queue<DeliveryJob>, id: string): Promise<void> {
  await new Job(queue, "message", {}, {}, id).promote();
}

function codeOf(error: unknown): number | undefined {
  const code = (error as { code?: unknown }).code;
  return typeof code === "number" ? code : undefined;
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

function noop(): void {}
