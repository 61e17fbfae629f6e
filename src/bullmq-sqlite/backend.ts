import { setTimeout as delay } from "node:timers/promises";
import type {
  BackendFactory,
  IQueueBackend,
  JobJson,
  KeepJobs,
  MinimalJob,
  MoveToDelayedOpts,
  MoveToWaitingChildrenOpts,
  ParentKeyOpts,
  RetryJobOpts,
  RetryOptions,
} from "bullmq";
import { BackendChanges } from "./backend-changes.ts";
import type { SqliteConnection } from "./connection.ts";
import { EngineError } from "./engine/errors.ts";
import { refusal } from "./errors.ts";
import { toAddRequest, toJobJson } from "./job-json.ts";
import type { FinishRequest, FlowRequest, TakeRequest } from "./procedures/requests.ts";
import type { Taken } from "./procedures/take.ts";

type FlowEntry = Parameters<IQueueBackend["addFlow"]>[0][number];
type Next = [job: JobJson | null, id: string, limitedFor: number, dueAt: number] | [];

const DEFAULT_LOCK_MS = 30_000;
/** Pause of a worker whose database refuses: BullMQ tries again at once. */
const REFUSED_PAUSE_MS = 1_000;

/** BullMQ's queue backend on SQLite: adding jobs and what workers do with them. */
export class SqliteQueueBackend extends BackendChanges implements IQueueBackend {
  forQueue(queueName: string, prefix?: string): IQueueBackend {
    return new SqliteQueueBackend(this.connection, queueName, { ...this.opts, prefix: prefix ?? this.prefix });
  }

  async addJob(job: JobJson, jobId: string, parentKeyOpts: ParentKeyOpts = {}): Promise<string> {
    const request = toAddRequest(job, jobId, parentKeyOpts);
    const result = await this.call<string | number>("add", request);
    return this.accept(result, "addJob", jobId, undefined, request.parentKey ?? undefined) as string;
  }

  /** Adds all jobs or none. */
  async addJobs(entries: { job: JobJson; jobId: string; parentKeyOpts?: ParentKeyOpts }[]): Promise<string[]> {
    const requests = entries.map(({ job, jobId, parentKeyOpts }) => toAddRequest(job, jobId, parentKeyOpts));
    try {
      return await this.call<string[]>("addMany", requests);
    } catch (error) {
      const { name, code } = error as Error & { code?: unknown };
      if (name !== "AddError" || typeof code !== "number") throw error;
      throw refusal({
        code,
        parentKey: requests.find(({ parentKey }) => parentKey)?.parentKey ?? "",
        command: "addJob",
      });
    }
  }

  async addFlow(entries: FlowEntry[]): Promise<[Error | null, string | number][]> {
    const requests = entries.map(
      ({ jobData, jobId, parentKeyOpts, prefix, queueName }): FlowRequest => ({
        ...toAddRequest(jobData, jobId, parentKeyOpts),
        queue: `${prefix}:${queueName}`,
      }),
    );
    const results = await this.connection.engine.call<(string | number)[]>("bullmq.addFlow", requests);
    return results.map((result) => [null, result]);
  }

  async moveToActive(token: string, name?: string): Promise<Next> {
    this.looks();
    try {
      return this.#next(await this.call<Taken>("take", this.#takeRequest(token, name)));
    } catch (error) {
      if (error instanceof EngineError && !this.closing) await delay(REFUSED_PAUSE_MS);
      throw error;
    }
  }

  async moveToCompleted<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    returnValue: R,
    removeOnComplete: boolean | number | KeepJobs,
    token: string,
    fetchNext: boolean,
  ) {
    const value = JSON.stringify(returnValue) ?? "null";
    const keep = keepJobs(removeOnComplete, this.opts.removeOnComplete);
    return this.#finish(job, { state: "completed", value, keep, token }, fetchNext);
  }

  async moveToFailed<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    failedReason: string,
    removeOnFail: boolean | number | KeepJobs,
    token: string,
    fetchNext: boolean,
    fieldsToUpdate: Record<string, unknown> = {},
  ) {
    const keep = keepJobs(removeOnFail, this.opts.removeOnFail);
    const { stacktrace } = fields(fieldsToUpdate);
    return this.#finish(job, { state: "failed", value: failedReason ?? "", keep, token, stacktrace }, fetchNext);
  }

  async moveToDelayed(
    jobId: string,
    timestamp: number,
    delayMs: number,
    token = "0",
    opts: MoveToDelayedOpts = {},
  ): Promise<Next> {
    const next = opts.fetchNext && !this.closing ? this.#takeRequest(token) : null;
    if (next) this.looks();
    const result = await this.call<Taken | number>("delay", {
      id: jobId,
      token,
      now: timestamp,
      delay: delayMs,
      skipAttempt: opts.skipAttempt ?? false,
      next,
      ...fields(opts.fieldsToUpdate),
    });
    return this.#next(this.accept(result, "moveToDelayed", jobId, "active"));
  }

  async moveToWaitingChildren(jobId: string, token: string, opts: MoveToWaitingChildrenOpts = {}): Promise<boolean> {
    const childKey = opts.child ? `${opts.child.queue}:${opts.child.id}` : "";
    const result = await this.call<number>("waitForChildren", jobId, token, childKey, Date.now());
    return this.accept(result, "moveToWaitingChildren", jobId, "active") === 0;
  }

  async moveJobFromActiveToWait(jobId: string, token = "0"): Promise<number> {
    return this.accept(await this.call<number>("putBack", jobId, token), "moveJobFromActiveToWait", jobId, "active");
  }

  async retryJob(jobId: string, lifo: boolean, token = "0", opts: RetryJobOpts = {}): Promise<void> {
    const result = await this.call("retry", jobId, token, Boolean(lifo), Date.now(), fields(opts.fieldsToUpdate));
    this.accept(result, "retryJob", jobId, "active");
  }

  async retryFinishedJob<T, R, N extends string>(
    job: MinimalJob<T, R, N>,
    state: "failed" | "completed",
    opts: RetryOptions = {},
  ): Promise<void> {
    const result = await this.call("retryFinished", job.id, state, {
      front: Boolean(job.opts.lifo),
      resetAttemptsMade: Boolean(opts.resetAttemptsMade),
      resetAttemptsStarted: Boolean(opts.resetAttemptsStarted),
    });
    this.accept(result, "reprocessJob", job.id, state);
  }

  async moveStalledJobsToWait(): Promise<string[]> {
    const { maxStalledCount = 1, stalledInterval = DEFAULT_LOCK_MS } = this.opts;
    if (!(await this.connection.active.has(this.qualifiedName, stalledInterval / 2))) return [];
    return this.call("recoverStalled", maxStalledCount, stalledInterval);
  }

  extendLock(jobId: string, token: string, duration: number): Promise<number> {
    return this.call("extendLock", jobId, token, duration);
  }

  extendLocks(jobIds: string[], tokens: string[], duration: number): Promise<string[]> {
    return this.call("extendLocks", jobIds, tokens, duration);
  }

  async #finish(
    job: MinimalJob,
    outcome: Pick<FinishRequest, "state" | "value" | "keep" | "token" | "stacktrace">,
    fetchNext: boolean,
  ): Promise<{ result: Next; finishedOn: number }> {
    const finishedOn = Date.now();
    const next = fetchNext && !this.closing ? this.#takeRequest(outcome.token) : null;
    if (next) this.looks();
    const request: FinishRequest = {
      ...outcome,
      id: job.id!,
      finishedOn,
      attempts: job.opts.attempts ?? 1,
      maxMetrics: this.opts.metrics?.maxDataPoints ?? 0,
      next,
    };
    const result = await this.call<Taken | number>("finish", request);
    return { result: this.#next(this.accept(result, "moveToFinished", job.id, "active")), finishedOn };
  }

  #takeRequest(token: string, name = this.opts.name): TakeRequest {
    const { limiter, lockDuration = DEFAULT_LOCK_MS } = this.opts;
    const limits = { max: limiter?.max ?? null, duration: limiter?.duration ?? null };
    return { token, lockDuration, name: name ?? null, ...limits, now: Date.now() };
  }

  #next(taken: Taken | number): Next {
    if (typeof taken === "number") return [];
    const [row, id, limitedFor, dueAt] = taken;
    if (dueAt > 0) this.connection.waker.due(this.qualifiedName, dueAt);
    // BullMQ's worker may forget this delay when another of its jobs ends, and then waits for a notice.
    if (limitedFor > 0) this.connection.waker.due(this.qualifiedName, Date.now() + limitedFor);
    return [row && toJobJson(row), id, limitedFor, dueAt];
  }
}

/** The job's own choice, else the worker's, else all are kept. */
function keepJobs(
  ofJob: boolean | number | KeepJobs | undefined,
  ofWorker: KeepJobs | undefined,
): FinishRequest["keep"] {
  if (ofJob === undefined) return { ...(ofWorker ?? { count: -1 }) };
  if (typeof ofJob === "object") return { ...ofJob };
  if (typeof ofJob === "number") return { count: ofJob };
  return { count: ofJob ? 0 : -1 };
}

function fields(update: Record<string, unknown> = {}): Pick<FinishRequest, "failedReason" | "stacktrace"> {
  const { failedReason, stacktrace } = update as { failedReason?: string; stacktrace?: string };
  return { failedReason: failedReason ?? null, stacktrace: stacktrace ?? null };
}

/** Pass as the last argument of `Queue`, `Worker`, `QueueEvents` and `FlowProducer`, or to `withBackend`. */
export const createSqliteBackend: BackendFactory<SqliteQueueBackend, SqliteConnection> = (name, opts, kind) => {
  const backend = new SqliteQueueBackend(opts.connection, name, opts as never);
  const workerName = (opts as { name?: string }).name;
  // Workers are listed from their creation on, as on Redis, where their blocking connection has this name.
  if (kind?.withBlockingConnection) void backend.setName(backend.clientName(workerName ? `:w:${workerName}` : ""));
  return backend;
};
