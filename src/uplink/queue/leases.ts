/**
 * Leases of jobs that consumers take by hand. A lease is BullMQ's lock of an active job: it is in the store, so it
 * survives a restart, and any instance can end it. There is no worker, and so no connection that blocks: the commands
 * fail at once while the store is unavailable.
 */
import { setTimeout as delay } from "node:timers/promises";
import { Job, type Queue } from "bullmq";
import type { DeliveryJob, QueuedJob } from "./job.ts";
import { isDone } from "./refusals.ts";

/**
 * Lease of a job when it is taken; the consumer's duration is set in a second step, since BullMQ has one for each queue.
 * A process that is killed in between delays the job by this time.
 */
const TAKEN_MS = 5_000;
/** Lease while the end of a job is being stored. */
const ENDING_MS = 30_000;
/** Shortest interval between two steps of a check for expired leases, in milliseconds. */
const STEP_MS = 1;
/** Interval of the checks of a queue in this process. */
const CHECK_MS = 500;

/** Options of the queues, which BullMQ's workers have otherwise. */
export const LEASE_OPTIONS = {
  lockDuration: TAKEN_MS,
  stalledInterval: STEP_MS,
  // Each take counts the expired leases of its job; BullMQ must not give the job up.
  maxStalledCount: 1_000_000,
};

export class DeliveryLeases {
  #check: Promise<void> | undefined;
  #checkedAt = Number.NEGATIVE_INFINITY;

  constructor(private readonly queue: Queue<DeliveryJob>) {}

  /** Takes the next job. @returns undefined when none waits */
  async take(token: string, leaseMs: number): Promise<QueuedJob | undefined> {
    for (;;) {
      const [json, id] = await this.queue.getBackend().moveToActive(token);
      if (!json) return undefined;
      const job: QueuedJob = Job.fromJSON(this.queue, json, id);
      // Otherwise the process stood still for so long that the job may be another consumer's.
      if (await this.hold(job, token, leaseMs)) return job;
    }
  }

  /** Returns jobs whose lease has run out to the head of the queue, unless that was done a moment ago. */
  recoverExpired(): Promise<void> {
    // By the monotonic clock: the wall clock may be set back.
    if (performance.now() - this.#checkedAt < CHECK_MS) return Promise.resolve();
    this.#check ??= this.#recover().finally(() => (this.#check = undefined));
    return this.#check;
  }

  async #recover(): Promise<void> {
    const { active = 0 } = await this.queue.getJobCounts("active");
    if (active > 0) {
      const backend = this.queue.getBackend();
      // The second step recovers the jobs that the first one has found active.
      await backend.moveStalledJobsToWait();
      await delay(2 * STEP_MS);
      await backend.moveStalledJobsToWait();
    }
    this.#checkedAt = performance.now();
  }

  /**
   * Makes the lease run this long from now, by default until the end is stored.
   * @returns false when the token does not hold the job
   */
  async hold(job: QueuedJob, token: string, leaseMs = ENDING_MS): Promise<boolean> {
    return (await job.extendLock(token, leaseMs)) === 1;
  }

  /** Ends the job as succeeded. @returns false when the token does not hold it, as in the methods below */
  complete(job: QueuedJob, token: string, result: unknown): Promise<boolean> {
    return isDone(() => job.moveToCompleted(result, token, false));
  }

  /** Ends an attempt with the error of a failure or of a retry; uses up the attempt. */
  fail(job: QueuedJob, token: string, error: Error): Promise<boolean> {
    // A retry without a delay goes before all others. The backends read the option from this job object.
    job.opts.lifo = true;
    return isDone(() => job.moveToFailed(error, token));
  }

  /** Delays the job; uses up no attempt. */
  postpone(job: QueuedJob, token: string, ms: number): Promise<boolean> {
    return isDone(() => job.moveToDelayed(Date.now() + ms, token));
  }

  /** Returns the job to the head of the queue; uses up no attempt. */
  release(job: QueuedJob, token: string): Promise<boolean> {
    return isDone(() => job.moveToWait(token));
  }
}
