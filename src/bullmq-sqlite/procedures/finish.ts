import { relaxed } from "../engine/thread.ts";
import type { Adding } from "./add.ts";
import { Code, type Context } from "./context.ts";
import type { Deduplication } from "./deduplication.ts";
import { isLocked, type Job } from "./jobs.ts";
import { collectMetrics } from "./metrics.ts";
import type { QueueState } from "./queues.ts";
import type { AddRequest, FinishRequest } from "./requests.ts";
import type { Taken, Taking } from "./take.ts";

/** Removed at once when finished jobs exceed their age. */
const AGE_LIMIT = 1_000;

/** Built once: the text is the key of the prepared statement. */
const REMOVE_AT_ONCE = `
  DELETE FROM bullmq_job WHERE queue = ? AND id = ? AND state = 'active' AND lock_token = ? AND lock_until > ?
    AND has_children = 0 AND log_count = 0 AND parent_key IS NULL AND deduplication_id IS NULL
  RETURNING attempts_made`;

export class Finishing {
  readonly #context: Context;
  readonly #taking: Taking;
  readonly #adding: Adding;
  readonly #deduplication: Deduplication;

  constructor(context: Context, taking: Taking, adding: Adding, deduplication: Deduplication) {
    this.#context = context;
    this.#taking = taking;
    this.#adding = adding;
    this.#deduplication = deduplication;
  }

  /** Returns the next job if one was asked for, 0 if there is none, or a negative code. */
  finish(queue: QueueState, request: FinishRequest): Taken | number {
    const quick = request.keep.count === 0 ? this.#removeAtOnce(queue, request) : undefined;
    if (quick) return this.#conclude(queue, quick, request);
    const { jobs, parents } = this.#context;
    const job = jobs.find(queue, request.id);
    if (!job) return Code.missing;
    if (request.state === "completed" && job.hasChildren) {
      if (parents.has(job, "pending")) return Code.pendingChildren;
      if (parents.has(job, "failed")) return Code.failedChildren;
    }
    const refusal = heldBy(job, request.token);
    if (refusal < 0) return refusal;

    const follower = this.#deduplication.finished(queue, job);
    if (follower) this.#addFollower(queue, follower, request.finishedOn);
    if (job.parentKey) {
      if (request.state === "completed") parents.childCompleted(queue, job, request.value, request.finishedOn);
      else parents.childFailed(queue, job, request.value, request.finishedOn);
    }
    if (request.keep.count === 0) this.#remove(queue, job);
    else this.#keep(queue, job, request);
    return this.#conclude(queue, job, request);
  }

  /** Deletes a job that needs no look at its parts, with one statement: most jobs where none are kept. */
  #removeAtOnce(queue: QueueState, { id, token }: FinishRequest): Pick<Job, "id" | "attemptsMade"> | undefined {
    const attemptsMade = this.#context.db.value<number>(REMOVE_AT_ONCE, [queue.id, id, token, Date.now()]);
    return attemptsMade === undefined ? undefined : { id, attemptsMade };
  }

  #conclude(queue: QueueState, job: Pick<Job, "id" | "attemptsMade">, request: FinishRequest): Taken | number {
    this.#announce(queue, job, request);
    if (request.maxMetrics > 0) {
      collectMetrics(this.#context.db, queue, request.state, request.maxMetrics, request.finishedOn);
    }
    const next = request.next ? this.#taking.take(queue, request.next) : undefined;
    if (next) return next;
    // The global concurrency has room again; this worker may not be the one that uses it.
    if (queue.number("concurrency") !== undefined) this.#context.signals.ready(queue);
    if (queue.maxEvents > 0) this.#announceDrained(queue);
    return 0;
  }

  #addFollower(queue: QueueState, follower: AddRequest, now: number): void {
    this.#adding.add(queue, { ...follower, timestamp: now });
  }

  #remove(queue: QueueState, job: Job): void {
    this.#context.jobs.delete(queue, job);
    if (job.parentKey) this.#context.parents.childRemoved(queue, job, false);
  }

  #keep(queue: QueueState, job: Job, request: FinishRequest): void {
    const { db } = this.#context;
    const completed = request.state === "completed";
    db.run(
      "UPDATE bullmq_job SET state = ?, rank = ?, finished_on = ?, attempts_made = attempts_made + 1, " +
        "lock_token = NULL, stalled = 0, return_value = ?, failed_reason = coalesce(?, failed_reason), " +
        "stacktrace = coalesce(?, stacktrace), deferred_failure = iif(?, deferred_failure, NULL) WHERE seq = ?",
      [
        request.state,
        request.finishedOn,
        request.finishedOn,
        completed ? request.value : null,
        completed ? null : request.value,
        request.stacktrace ?? null,
        completed ? 1 : 0,
        job.seq,
      ],
    );
    const known = queue.finished.get(request.state);
    if (known !== undefined) queue.finished.set(request.state, known + 1);
    const { age, count = -1, limit = AGE_LIMIT } = request.keep;
    if (age !== undefined) this.#removeOlder(queue, request.state, request.finishedOn - age * 1_000, limit);
    if (count > 0) this.#removeBeyond(queue, request.state, count);
  }

  #removeOlder(queue: QueueState, state: FinishRequest["state"], before: number, limit: number): void {
    const { jobs, parents } = this.#context;
    for (const job of jobs.list(queue, state, { limit, below: before + 1 })) {
      parents.childRemoved(queue, job, false);
      jobs.delete(queue, job);
    }
  }

  /** Removes the oldest jobs over the limit. Counts them only if their number is not known. */
  #removeBeyond(queue: QueueState, state: FinishRequest["state"], keep: number): void {
    const { jobs, parents } = this.#context;
    const count = queue.finished.get(state) ?? jobs.count(queue, state);
    if (count > keep) {
      for (const job of jobs.list(queue, state, { limit: count - keep })) {
        parents.childRemoved(queue, job, false);
        jobs.delete(queue, job);
      }
    }
    queue.finished.set(state, Math.min(count, keep));
  }

  #announce(queue: QueueState, job: Pick<Job, "id" | "attemptsMade">, { state, value, attempts }: FinishRequest): void {
    const { events } = this.#context;
    const field = state === "completed" ? "returnvalue" : "failedReason";
    events.add(queue, state, { jobId: job.id, [field]: value, prev: "active" });
    if (state === "failed" && job.attemptsMade + 1 >= attempts) {
      events.add(queue, "retries-exhausted", { jobId: job.id, attemptsMade: job.attemptsMade + 1 });
    }
  }

  #announceDrained(queue: QueueState): void {
    const { jobs, events } = this.#context;
    if (jobs.any(queue, "waiting") || jobs.any(queue, "active") || jobs.any(queue, "prioritized")) return;
    events.add(queue, "drained");
  }
}

/** Returns 0 if the job is active and held by the token, else why not. The token "0" needs no lock. */
export function heldBy(job: Job, token: string): number {
  if (token !== "0" && !(isLocked(job) && job.lockToken === token)) {
    return isLocked(job) ? Code.otherLock : Code.noLock;
  }
  return job.state === "active" ? 0 : Code.wrongState;
}

export function finishProcedures({ queues }: Context, finishing: Finishing) {
  return {
    // After a power cut a job may be active again whose end was not synced, and then runs again.
    "bullmq.finish": relaxed((name: string, request: FinishRequest) => finishing.finish(queues.get(name), request)),
  };
}
