import type { Context } from "./context.ts";
import { isLocked, type Job, type State } from "./jobs.ts";
import type { QueueState } from "./queues.ts";
import { isScheduled, type Removal } from "./remove.ts";

/** Results of `obliterate` that stand for a refusal. */
const NOT_PAUSED = -1;
const HAS_ACTIVE_JOBS = -2;

const ALL_STATES: State[] = ["active", "delayed", "completed", "waiting", "prioritized", "failed", "waiting-children"];

/** Tables with rows of a queue beside its jobs. */
const QUEUE_TABLES = [
  "bullmq_scheduler",
  "bullmq_deduplication",
  "bullmq_metric",
  "bullmq_metric_point",
  "bullmq_event",
];

/** Removal of many jobs. */
export function cleanProcedures(context: Context, removal: Removal) {
  const { db, queues, jobs, events } = context;

  const ageOf = (job: Job, state: State): number | null =>
    db.value<number | null>(
      `SELECT ${state === "delayed" ? "coalesce(processed_on, timestamp)" : "timestamp"} ` +
        "FROM bullmq_job WHERE seq = ?",
      [job.seq],
    ) ?? null;

  const clean = (queue: QueueState, state: State, timestamp: number, limit: number): string[] => {
    const finished = state === "completed" || state === "failed" || state === "waiting-children";
    const below = finished ? timestamp + 1 : Number.MAX_SAFE_INTEGER;
    const removed: string[] = [];
    for (const job of jobs.list(queue, state, { limit: limit > 0 ? limit : -1, below })) {
      if (state === "active" && isLocked(job)) continue;
      if (!finished && (isScheduled(context, queue, job) || (ageOf(job, state) ?? 0) > timestamp)) continue;
      removal.discard(queue, job, true);
      removed.push(job.id);
    }
    return removed;
  };

  return {
    /** Removes the jobs of a state that are older than a time, the oldest first. Returns their ids. */
    "bullmq.clean": (name: string, state: string, timestamp: number, limit: number) => {
      const queue = queues.get(name);
      const removed = state === "paused" ? [] : clean(queue, toState(state), timestamp, limit);
      events.add(queue, "cleaned", { count: removed.length });
      return removed;
    },

    "bullmq.drain": (name: string, delayed: boolean) => {
      const queue = queues.get(name);
      const states: State[] = delayed ? ["waiting", "delayed", "prioritized"] : ["waiting", "prioritized"];
      for (const job of states.flatMap((state) => jobs.list(queue, state))) {
        if (!isScheduled(context, queue, job)) removal.discard(queue, job, true);
      }
    },

    /** Removes up to `count` jobs. Returns 1 if there may be more, 0 when the queue is gone. */
    "bullmq.obliterate": (name: string, count: number, force: boolean) => {
      const queue = queues.get(name);
      if (!queue.paused) return NOT_PAUSED;
      if (!force && jobs.any(queue, "active")) return HAS_ACTIVE_JOBS;
      let left = count;
      for (const state of ALL_STATES) {
        const found = jobs.list(queue, state, { limit: left });
        for (const job of found) removal.discard(queue, job, true);
        left -= found.length;
        if (left <= 0) return 1;
      }
      for (const table of QUEUE_TABLES) db.run(`DELETE FROM ${table} WHERE queue = ?`, [queue.id]);
      events.forget(queue);
      queues.remove(queue);
      return 0;
    },
  };
}

/** Translates BullMQ's names of states. */
export function toState(type: string): State {
  return (type === "wait" ? "waiting" : type) as State;
}
