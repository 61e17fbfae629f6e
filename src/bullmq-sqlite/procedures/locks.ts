import { relaxed } from "../engine/thread.ts";
import type { Context } from "./context.ts";
import type { QueueState } from "./queues.ts";

type ActiveRow = [seq: number, id: string, stalledCounter: number, schedulerId: string | null];

/** Locks of active jobs, and the recovery of jobs whose worker has gone. */
export function lockProcedures({ db, queues, jobs, events }: Context) {
  const extend = (queue: QueueState, id: string, token: string, duration: number): boolean => {
    const now = Date.now();
    return (
      db.run(
        "UPDATE bullmq_job SET lock_until = ?, stalled = 0 " +
          "WHERE queue = ? AND id = ? AND lock_token = ? AND lock_until > ?",
        [now + duration, queue.id, id, token, now],
      ) > 0
    );
  };

  const recover = (queue: QueueState, maxStalledCount: number): string[] => {
    const stalled = db.rows<ActiveRow>(
      "SELECT seq, id, stalled_counter + 1, scheduler_id FROM bullmq_job WHERE queue = ? AND state = 'active' " +
        "AND stalled = 1 AND (lock_token IS NULL OR lock_until <= ?) ORDER BY rank",
      [queue.id, Date.now()],
    );
    for (const [seq, id, count, scheduler] of stalled) {
      db.run("UPDATE bullmq_job SET stalled_counter = ? WHERE seq = ?", [count, seq]);
      if (count > maxStalledCount && !(scheduler !== null && isScheduler(queue, scheduler))) {
        const reason = "job stalled more than allowable limit";
        db.run("UPDATE bullmq_job SET deferred_failure = ? WHERE seq = ?", [reason, seq]);
      }
      jobs.enqueueWaiting(queue, seq, true);
      events.add(queue, "waiting", { jobId: id, prev: "active" });
      events.add(queue, "stalled", { jobId: id });
    }
    return stalled.map(([, id]) => id);
  };

  const isScheduler = (queue: QueueState, id: string) =>
    db.value("SELECT 1 FROM bullmq_scheduler WHERE queue = ? AND id = ?", [queue.id, id]) !== undefined;

  return {
    "bullmq.extendLock": (name: string, id: string, token: string, duration: number) =>
      extend(queues.get(name), id, token, duration) ? 1 : 0,

    /** Returns the ids of the jobs whose lock is lost. */
    "bullmq.extendLocks": relaxed((name: string, ids: string[], tokens: string[], duration: number) => {
      const queue = queues.get(name);
      return ids.filter((id, index) => !extend(queue, id, tokens[index] ?? "", duration));
    }),

    "bullmq.activeQueues": () =>
      db.values<string>(
        "SELECT name FROM bullmq_queue AS queue " +
          "WHERE EXISTS (SELECT 1 FROM bullmq_job WHERE queue = queue.id AND state = 'active')",
      ),

    /**
     * Moves jobs without a lock back to the head of the queue. A job must have been active at two checks in a row, so
     * that none is taken from a worker between its start and its lock. Checks within the interval do nothing.
     */
    "bullmq.recoverStalled": relaxed((name: string, maxStalledCount: number, interval: number) => {
      const queue = queues.get(name);
      const now = Date.now();
      if (queue.stalledCheckUntil > now) return [];
      queue.stalledCheckUntil = now + interval;
      const stalled = recover(queue, maxStalledCount);
      db.run("UPDATE bullmq_job SET stalled = 1 WHERE queue = ? AND state = 'active' AND stalled = 0", [queue.id]);
      return stalled;
    }),
  };
}
