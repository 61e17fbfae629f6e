import { toState } from "./clean.ts";
import type { Context } from "./context.ts";
import { JOB_ROW, type JobRow } from "./job-row.ts";
import { DELAY_SCALE, type State } from "./jobs.ts";
import type { QueueState } from "./queues.ts";

/** States that are lists on Redis: BullMQ expects an ascending range of them in reverse and reverses it itself. */
const LISTS = new Set<string>(["waiting", "active"]);

/** Questions about the jobs of a queue. */
export function listProcedures({ db, queues, jobs }: Context) {
  const range = (queue: QueueState, type: string, start: number, end: number, asc: boolean): string[] => {
    // A paused queue keeps its jobs in the waiting list; `paused` is a list that only old versions filled.
    if (type === "paused") return [];
    const state = toState(type);
    const count = start < 0 || end < 0 ? jobs.count(queue, state) : 0;
    const first = start < 0 ? Math.max(0, count + start) : start;
    const last = end < 0 ? count + end : end;
    if (last < first) return [];
    const ids = db.values<string>(
      `SELECT id FROM bullmq_job WHERE queue = ? AND state = ? ORDER BY rank ${asc ? "" : "DESC"} LIMIT ? OFFSET ?`,
      [queue.id, state, last - first + 1, first],
    );
    return asc && LISTS.has(state) ? ids.reverse() : ids;
  };

  const count = (queue: QueueState, type: string, delayedBefore: number | null): number => {
    if (type === "paused") return 0;
    if (type !== "delayed" || delayedBefore === null) return jobs.count(queue, toState(type));
    const sql = "SELECT count(*) FROM bullmq_job WHERE queue = ? AND state = 'delayed' AND rank < ?";
    return db.value<number>(sql, [queue.id, delayedBefore * DELAY_SCALE])!;
  };

  return {
    "bullmq.ranges": (name: string, types: string[], start: number, end: number, asc: boolean) => {
      const queue = queues.get(name);
      return types.map((type) => range(queue, type, start, end, asc));
    },

    "bullmq.counts": (name: string, types: string[], delayedBefore: number | null) => {
      const queue = queues.get(name);
      return types.map((type) => count(queue, type, delayedBefore));
    },

    "bullmq.countsPerPriority": (name: string, priorities: number[]) => {
      const queue = queues.get(name);
      return priorities.map((priority) => {
        if (priority === 0) return jobs.count(queue, "waiting");
        const sql =
          "SELECT count(*) FROM bullmq_job WHERE queue = ? AND state = 'prioritized' AND rank >= ? AND rank < ?";
        return db.value<number>(sql, [queue.id, priority * 2 ** 32, (priority + 1) * 2 ** 32])!;
      });
    },

    "bullmq.state": (name: string, id: string): State | "unknown" =>
      jobs.find(queues.get(name), id)?.state ?? "unknown",

    "bullmq.job": (name: string, id: string) =>
      db.row<JobRow>(`SELECT ${JOB_ROW} FROM bullmq_job WHERE queue = ? AND id = ?`, [queues.get(name).id, id]),

    /** Returns state, result and reason of the failure. */
    "bullmq.result": (name: string, id: string) =>
      db.row<[State, string | null, string | null]>(
        "SELECT state, return_value, failed_reason FROM bullmq_job WHERE queue = ? AND id = ?",
        [queues.get(name).id, id],
      ),
  };
}
