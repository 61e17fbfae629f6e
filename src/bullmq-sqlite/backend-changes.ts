import type { JobProgress, JobsOptions, MinimalJob, RepeatableOptions } from "bullmq";
import { BackendReads } from "./backend-reads.ts";

/** Changes of queues, waiting jobs and details, which no worker's lock protects. */
export class BackendChanges extends BackendReads {
  async promote(jobId: string): Promise<void> {
    this.accept(await this.call("promote", jobId), "promote", jobId, "delayed");
  }

  retryFinishedJobs(state: "failed" | "completed" = "failed", count = 1_000, timestamp = Date.now()): Promise<number> {
    return this.call("retryAllFinished", state, count, timestamp);
  }

  promoteJobs(count = 1_000): Promise<number> {
    return this.call("promoteAll", count);
  }

  pause(pause: boolean): Promise<void> {
    return this.call("pause", pause);
  }

  drain(delayed: boolean): Promise<void> {
    return this.call("drain", delayed);
  }

  cleanJobsByState(state: string, timestamp: number, limit = 0): Promise<string[]> {
    return this.call("clean", state, timestamp, limit);
  }

  async obliterate({ count, force }: { force: boolean; count: number }): Promise<number> {
    const result = await this.call<number>("obliterate", count, force);
    if (result === -1) throw new Error("Cannot obliterate non-paused queue");
    if (result === -2) throw new Error("Cannot obliterate queue with active jobs");
    return result;
  }

  /** A job is one row, which its state is part of: there are no orphans. */
  async removeOrphanedJobs(_count?: number, _limit?: number): Promise<number> {
    return 0;
  }

  async updateData<T, R, N extends string>(job: MinimalJob<T, R, N>, data: T): Promise<void> {
    this.accept(await this.call("updateData", job.id, JSON.stringify(data)), "updateData", job.id);
  }

  async updateProgress(jobId: string, progress: JobProgress): Promise<void> {
    this.accept(await this.call("updateProgress", jobId, JSON.stringify(progress)), "updateProgress", jobId);
  }

  async addLog(jobId: string, logRow: string, keepLogs?: number): Promise<number> {
    return this.accept(await this.call<number>("addLog", jobId, logRow, keepLogs ?? null), "addLog", jobId);
  }

  clearLogs(jobId: string, keepLogs?: number): Promise<void> {
    return this.call("clearLogs", jobId, keepLogs ?? 0);
  }

  async changeDelay(jobId: string, delay: number): Promise<void> {
    this.accept(await this.call("changeDelay", jobId, delay, Date.now()), "changeDelay", jobId, "delayed");
  }

  async changePriority(jobId: string, priority = 0, lifo = false): Promise<void> {
    this.accept(await this.call("changePriority", jobId, priority, lifo), "changePriority", jobId);
  }

  async remove(jobId: string, removeChildren: boolean): Promise<number> {
    return this.accept(await this.call<number>("remove", jobId, removeChildren), "removeJob", jobId);
  }

  removeUnprocessedChildren(jobId: string): Promise<void> {
    return this.call("removeUnprocessedChildren", jobId);
  }

  async removeChildDependency(jobId: string, parentKey: string): Promise<boolean> {
    const result = await this.call<number>("removeChildDependency", jobId, parentKey);
    return this.accept(result, "removeChildDependency", jobId, undefined, parentKey) === 0;
  }

  removeDeduplicationKey(deduplicationId: string, jobId: string): Promise<number> {
    return this.call("deleteDeduplicationOf", deduplicationId, jobId);
  }

  deleteDeduplicationKey(deduplicationId: string): Promise<number> {
    return this.call("deleteDeduplication", deduplicationId);
  }

  setQueueMeta(values: Record<string, string | number>): Promise<number> {
    return this.call("setMeta", values);
  }

  removeQueueMetaFields(fields: string[]): Promise<number> {
    return this.call("removeMeta", fields);
  }

  setRateLimit(expireTimeMs: number): Promise<void> {
    return this.call("limit", expireTimeMs);
  }

  removeRateLimitKey(): Promise<number> {
    return this.call("unlimit");
  }

  /** The key exists only on Redis. */
  async removeDeprecatedPriorityKey(): Promise<number> {
    return 0;
  }

  trimEvents(maxLength: number): Promise<number> {
    return this.call("trimEvents", maxLength);
  }

  publishEvent(fields: Record<string, string | number>, maxEvents: number): Promise<string> {
    return this.call("publishEvent", fields, maxEvents);
  }

  async addJobScheduler(
    jobSchedulerId: string,
    nextMillis: number,
    templateData: string,
    templateOpts: JobsOptions,
    opts: RepeatableOptions,
    delayedJobOpts: JobsOptions,
    _producerId?: string,
  ): Promise<[string, number]> {
    const result = await this.call<[string, number] | number>(
      "addScheduler",
      jobSchedulerId,
      nextMillis,
      templateData,
      JSON.stringify(templateOpts ?? {}),
      plain(opts),
      plain(delayedJobOpts),
      Date.now(),
    );
    return this.accept(result, "addJobScheduler") as [string, number];
  }

  updateJobSchedulerNextMillis(
    jobSchedulerId: string,
    nextMillis: number,
    _templateData: string,
    delayedJobOpts: JobsOptions,
    producerId?: string,
  ): Promise<string | null> {
    const options = plain(delayedJobOpts);
    return this.call("continueScheduler", jobSchedulerId, nextMillis, options, producerId ?? null, Date.now());
  }

  removeJobScheduler(jobSchedulerId: string): Promise<number> {
    return this.call("removeScheduler", jobSchedulerId);
  }
}

/** Turns dates into what JSON stores, and drops functions, which cannot cross the thread boundary. */
function plain<T>(value: T): T {
  return JSON.parse(JSON.stringify(value ?? {})) as T;
}
