/**
 * Queue of one webhook on BullMQ: with leases.ts and refusals.ts the only file that knows BullMQ's result codes and the
 * differences between its backends. Callers get named outcomes; other rejections mean that the store is unavailable.
 */
import { DelayedError, Job, type Queue, RateLimitError, UnrecoverableError } from "bullmq";
import { type DeliveryJob, JOB_OPTIONS, KEEP_LOGS, type PlacedJob, type QueuedJob } from "./job.ts";
import { DeliveryLeases } from "./leases.ts";
import { type CallRateLimit, owedMs } from "./rate-limit.ts";
import { isDone, isRefusal } from "./refusals.ts";

export { isRefusal };

export type EndState = "failed" | "completed";
export type JobState = "active" | "waiting" | "prioritized" | "delayed" | EndState;
export type JobCounts = Record<JobState, number>;

/** Delay given to a delayed job before its removal: no worker can then take it. */
const HOLD_MS = 3_600_000;
/** Limiter without a limit of its own: pauses need a limiter to take effect. The number fits 32 bits. */
const NO_LIMIT = { max: 1_000_000_000, duration: 1_000 };

export class DeliveryQueue {
  /** The jobs as consumers take them. */
  readonly leases: DeliveryLeases;

  constructor(private readonly queue: Queue<DeliveryJob>) {
    this.leases = new DeliveryLeases(queue);
  }

  /** Adds all jobs or none; an existing id is left unchanged. */
  async add(jobs: readonly PlacedJob[]): Promise<void> {
    await this.queue.addBulk(
      jobs.map(({ id, data, delay }) => ({
        name: "message",
        data,
        opts: { ...JOB_OPTIONS, jobId: id, ...(delay && { delay }) },
      })),
    );
  }

  async get(id: string): Promise<QueuedJob | undefined> {
    // Another string might be a key that BullMQ itself uses.
    return isJobId(id) ? this.queue.getJob(id) : undefined;
  }

  /** The state is read first: a job that is reported as ended then has its result. */
  async getWithState(id: string): Promise<{ job: QueuedJob; state: JobState } | undefined> {
    const state = isJobId(id) ? await this.stateOf(id) : "gone";
    const job = state === "gone" ? undefined : await this.queue.getJob(id);
    return job && state !== "gone" ? { job, state } : undefined;
  }

  async stateOf(id: string): Promise<JobState | "gone"> {
    const state = await this.queue.getJobState(id);
    return state === "unknown" ? "gone" : (state as JobState);
  }

  /** A paused webhook has no worker; its queue is never paused, so both backends count its jobs alike. */
  async counts(): Promise<JobCounts> {
    const { active, waiting, prioritized, delayed, failed, completed }: Partial<JobCounts> =
      await this.queue.getJobCounts("active", "waiting", "prioritized", "delayed", "failed", "completed");
    const numbers = { active, waiting, prioritized, delayed, failed, completed };
    return Object.fromEntries(Object.entries(numbers).map(([state, n]) => [state, n ?? 0])) as JobCounts;
  }

  /** All ids in a state, or at most `count` from `offset` on; newest first. */
  ids(state: JobState, offset = 0, count = Number.POSITIVE_INFINITY): Promise<string[]> {
    const last = Number.isFinite(count) ? offset + count - 1 : -1;
    return this.queue.getRanges([state], offset, last, false);
  }

  /** Ids of the next jobs to be processed, from the end of the range: BullMQ adds at its beginning. */
  async nextWaiting(count: number): Promise<string[]> {
    const { waiting = 0 } = await this.queue.getJobCounts("waiting");
    return waiting === 0 ? [] : this.queue.getRanges(["waiting"], Math.max(0, waiting - count), waiting - 1);
  }

  /** Removes the next waiting jobs in one step of the store. @returns the number removed */
  async removeWaiting(count: number): Promise<number> {
    return (await this.queue.clean(0, count, "wait")).length;
  }

  /** Removes the oldest ended jobs. @param olderThanMs only jobs that ended at least this long ago */
  async removeEnded(state: EndState, count: number, olderThanMs = 0): Promise<void> {
    await this.queue.clean(olderThanMs, count, state);
  }

  /** @returns false when the job is active or gone */
  async remove(id: string): Promise<boolean> {
    return (await this.queue.remove(id)) === 1;
  }

  /** @returns false when the job is no longer delayed */
  async removeDelayed(id: string): Promise<boolean> {
    return (await isDone(() => this.#handle(id).changeDelay(HOLD_MS))) && this.remove(id);
  }

  /** Makes a delayed job wait for a worker. @returns false when the job is not delayed, or gone */
  promote(id: string): Promise<boolean> {
    return isDone(() => this.#handle(id).promote());
  }

  /** Moves a waiting job before all others; does nothing when a worker has taken it. */
  async moveToFront(job: QueuedJob): Promise<void> {
    await isDone(() => job.changePriority({ priority: 0, lifo: true }));
  }

  /**
   * Makes an ended job wait again with its whole schedule ahead.
   * @param ahead true: before all waiting jobs; false: after them
   * @returns false when the job is gone or in another state
   */
  retry(job: QueuedJob, state: EndState, ahead: boolean): Promise<boolean> {
    // Both backends read the option from this job object and do not store it.
    job.opts.lifo = ahead;
    return isDone(() => job.retry(state, { resetAttemptsMade: true }));
  }

  /** @returns false when the job is gone */
  replaceData(job: QueuedJob, data: DeliveryJob): Promise<boolean> {
    return isDone(() => job.updateData(data));
  }

  /** Records in a job which delivery to promote when it ends. @returns false when the job is gone */
  recordSuccessor(id: string, successor: string): Promise<boolean> {
    return isDone(() => this.queue.updateJobProgress(id, { next: successor }));
  }

  /** Rows of the job's log, oldest first. */
  async logOf(id: string): Promise<string[]> {
    return (await this.queue.getJobLogs(id, 0, KEEP_LOGS - 1)).logs;
  }

  /** @returns false when the job is gone */
  appendLog(job: QueuedJob, row: string): Promise<boolean> {
    return isDone(() => job.log(row));
  }

  /**
   * Pauses the queue for `ms`, or longer if a longer pause is in progress. BullMQ has one counter per queue, shared by
   * all instances, which counts the jobs taken in a time window; a pause sets it to full. With a rate limit the pause
   * lasts at least until the jobs already taken would no longer exceed the rate.
   */
  async pause(ms: number, rateLimit?: CallRateLimit): Promise<void> {
    if ((await this.queue.getRateLimitTtl(NO_LIMIT.max)) >= ms) return;
    const owed = rateLimit ? await owedMs(rateLimit, (taken) => this.queue.getRateLimitTtl(taken)) : 0;
    await this.queue.rateLimit(Math.ceil(Math.max(ms, owed)));
  }

  /** Ends a pause, if there is one; otherwise the counter of a rate limit is left unchanged. */
  async endPause(): Promise<void> {
    if ((await this.queue.getRateLimitTtl(NO_LIMIT.max)) > 0) await this.queue.removeRateLimitKey();
  }

  /** Removes all jobs, active ones included. */
  async obliterate(): Promise<void> {
    await this.queue.obliterate({ force: true });
  }

  async removeLimiter(): Promise<void> {
    await this.queue.removeRateLimitKey();
  }

  async close(): Promise<void> {
    await this.queue.close();
  }

  /** Handle of a job without its data: the payload may be large, and only the id counts. */
  #handle(id: string): Job {
    return new Job(this.queue, "message", undefined, {}, id);
  }
}

/** Worker option that applies a webhook's rate limit and makes {@link DeliveryQueue.pause} take effect. */
export function limiterOf(rateLimit: CallRateLimit | undefined): { max: number; duration: number } {
  return rateLimit ? { max: rateLimit.max, duration: rateLimit.perSeconds * 1_000 } : NO_LIMIT;
}

/** Delays a running job; uses up no attempt. @returns the error that the processor must throw */
export async function postpone(job: Job, token: string | undefined, ms: number): Promise<Error> {
  await job.moveToDelayed(Date.now() + ms, token);
  return new DelayedError();
}

/** Error that returns a job to its paused queue; uses up no attempt. */
export function queuePaused(): Error {
  return new RateLimitError();
}

/** Error that ends a job as a dead letter, whatever attempts it has left. */
export function permanentFailure(message: string): Error {
  return new UnrecoverableError(message);
}

export function isPermanentFailure(error: unknown): boolean {
  return error instanceof UnrecoverableError;
}

function isJobId(id: string): boolean {
  return /^[a-z]+_[0-9a-f-]{36}$/.test(id);
}
