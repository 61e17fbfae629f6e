import { relaxed } from "../engine/thread.ts";
import type { Context } from "./context.ts";
import { JOB_ROW, type JobRow } from "./job-row.ts";
import { DELAY_SCALE } from "./jobs.ts";
import type { QueueState } from "./queues.ts";
import type { TakeRequest } from "./requests.ts";

/** The job, or why there is none: the time until the rate limiter allows one, or when the next delayed job is due. */
export type Taken = [job: JobRow | null, id: string, limitedFor: number, dueAt: number];

/** Delayed jobs promoted at once; the rest follows with the next job taken. */
const PROMOTE_LIMIT = 1_000;

/** Built once: the text is the key of the prepared statement. */
const ACTIVATE = `
  UPDATE bullmq_job SET state = 'active', rank = ?, attempts_started = attempts_started + 1, processed_on = ?,
    processed_by = coalesce(?, processed_by), lock_token = ?, lock_until = ?, stalled = 0
  WHERE seq = (SELECT seq FROM bullmq_job WHERE queue = ? AND state = ? ORDER BY rank LIMIT 1)
  RETURNING ${JOB_ROW}`;

export class Taking {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  /** Takes the next job of a queue. Returns undefined if there is neither a job nor anything to wait for. */
  take(queue: QueueState, request: TakeRequest): Taken | undefined {
    this.promoteDue(queue, request.now);
    const max = queue.number("max") ?? request.max ?? undefined;
    const limited = rateLimitTtl(queue, max);
    if (limited > 0) return [null, "", limited, 0];
    if (this.#context.jobs.pausedOrMaxed(queue)) return [null, "", 0, 0];
    const job = this.#activate(queue, "waiting", request) ?? this.#activate(queue, "prioritized", request);
    if (job) {
      if (max !== undefined && job[16] === null) this.#countForLimit(queue, request);
      this.#context.events.add(queue, "active", { jobId: job[0], prev: "waiting" });
      // More jobs may wait: wakes the workers that found none before.
      this.#context.signals.ready(queue);
      return [job, job[0], 0, 0];
    }
    const due = queue.nextDue ?? Number.POSITIVE_INFINITY;
    return Number.isFinite(due) ? [null, "", 0, due] : undefined;
  }

  /** Moves the delayed jobs that are due to the waiting ones. */
  promoteDue(queue: QueueState, now: number): void {
    if (queue.nextDue !== undefined && queue.nextDue > now) return;
    const { jobs, events } = this.#context;
    const due = jobs.list(queue, "delayed", { limit: PROMOTE_LIMIT, below: (now + 1) * DELAY_SCALE });
    for (const job of due) {
      jobs.enqueue(queue, job);
      this.#context.db.run("UPDATE bullmq_job SET delay = 0 WHERE seq = ?", [job.seq]);
      events.add(queue, "waiting", { jobId: job.id, prev: "delayed" });
    }
    const rank = this.#context.db.value<number>(
      "SELECT rank FROM bullmq_job WHERE queue = ? AND state = 'delayed' ORDER BY rank LIMIT 1",
      [queue.id],
    );
    queue.nextDue = rank === undefined ? Number.POSITIVE_INFINITY : Math.floor(rank / DELAY_SCALE);
  }

  #activate(queue: QueueState, from: "waiting" | "prioritized", request: TakeRequest): JobRow | undefined {
    // The token "0" stands for a job that is processed by hand, without a lock.
    const token = request.token === "0" ? null : request.token;
    return this.#context.db.row<JobRow>(ACTIVATE, [
      this.#context.jobs.nextRank(),
      request.now,
      request.name,
      token,
      Date.now() + request.lockDuration,
      queue.id,
      from,
    ]);
  }

  #countForLimit(queue: QueueState, request: TakeRequest): void {
    const now = Date.now();
    if (queue.limitUntil <= now) {
      queue.limitCount = 0;
      queue.limitUntil = now + Math.floor(Math.abs(request.duration ?? queue.number("duration") ?? 0));
    }
    queue.limitCount += 1;
    this.#context.queues.changed(queue);
  }
}

/** Milliseconds until the window of the rate limiter ends, 0 if it allows a job. */
function rateLimitTtl(queue: QueueState, max: number | undefined): number {
  if (max === undefined) return 0;
  const left = queue.limitUntil - Date.now();
  return left > 0 && queue.limitCount >= max ? left : 0;
}

export function takeProcedures({ queues, jobs, signals }: Context, taking: Taking) {
  return {
    // After a power cut a job waits again, as it must.
    "bullmq.take": relaxed(
      (name: string, request: TakeRequest): Taken => taking.take(queues.get(name), request) ?? [null, "", 0, 0],
    ),

    "bullmq.isMaxed": (name: string) => jobs.maxed(queues.get(name)),

    "bullmq.limit": (name: string, duration: number) => {
      const queue = queues.get(name);
      queue.limitCount = Number.MAX_SAFE_INTEGER;
      queue.limitUntil = Date.now() + duration;
      queues.changed(queue);
      signals.due(queue, queue.limitUntil);
    },

    "bullmq.unlimit": (name: string) => {
      const queue = queues.get(name);
      const limited = queue.limitUntil > Date.now();
      queue.limitCount = 0;
      queue.limitUntil = 0;
      queues.changed(queue);
      if (limited) signals.ready(queue);
      return limited ? 1 : 0;
    },

    /** Without `max` and a global limit: the rest of the window whatever its count, -2 if there is none. */
    "bullmq.limitTtl": (name: string, max: number | null) => {
      const queue = queues.get(name);
      const limit = max || queue.number("max");
      if (limit) return rateLimitTtl(queue, limit);
      const left = queue.limitUntil - Date.now();
      return left > 0 ? left : -2;
    },
  };
}
