import { Code, type Context } from "./context.ts";
import type { Job } from "./jobs.ts";

/** Data, progress and logs of single jobs; metadata of queues. */
export function detailProcedures({ db, queues, jobs, events, signals }: Context) {
  const trimLogs = (job: Job, last: number, keep: number): number => {
    db.run("DELETE FROM bullmq_log WHERE job = ? AND n <= ?", [job.seq, last - keep]);
    const count = db.value<number>("SELECT count(*) FROM bullmq_log WHERE job = ?", [job.seq])!;
    db.run("UPDATE bullmq_job SET log_count = ? WHERE seq = ?", [count, job.seq]);
    return count;
  };
  const lastLog = (job: Job) =>
    db.value<number>("SELECT coalesce(max(n), 0) FROM bullmq_log WHERE job = ?", [job.seq])!;

  return {
    "bullmq.updateData": (name: string, id: string, data: string) =>
      db.run("UPDATE bullmq_job SET data = ? WHERE queue = ? AND id = ?", [data, queues.get(name).id, id]) > 0
        ? 0
        : Code.missing,

    "bullmq.updateProgress": (name: string, id: string, progress: string) => {
      const queue = queues.get(name);
      const sql = "UPDATE bullmq_job SET progress = ? WHERE queue = ? AND id = ?";
      if (db.run(sql, [progress, queue.id, id]) === 0) return Code.missing;
      events.add(queue, "progress", { jobId: id, data: progress });
      return 0;
    },

    /** Returns the number of lines. */
    "bullmq.addLog": (name: string, id: string, line: string, keep: number | null) => {
      const job = jobs.find(queues.get(name), id);
      if (!job) return Code.missing;
      const n = lastLog(job) + 1;
      db.run("INSERT INTO bullmq_log VALUES (?, ?, ?)", [job.seq, n, line]);
      return trimLogs(job, n, keep || Number.MAX_SAFE_INTEGER);
    },

    "bullmq.clearLogs": (name: string, id: string, keep: number) => {
      const job = jobs.find(queues.get(name), id);
      if (job) trimLogs(job, lastLog(job), keep);
    },

    /** Returns lines `start` to `end`, counted from the oldest (`asc`) or the newest line. Negative: from the other end. */
    "bullmq.logs": (name: string, id: string, start: number, end: number, asc: boolean) => {
      const job = jobs.find(queues.get(name), id);
      if (!job) return { logs: [], count: 0 };
      const first = start < 0 ? Math.max(0, job.logCount + start) : start;
      const last = end < 0 ? job.logCount + end : end;
      const logs = db.values<string>(
        `SELECT line FROM bullmq_log WHERE job = ? ORDER BY n ${asc ? "" : "DESC"} LIMIT ? OFFSET ?`,
        [job.seq, Math.max(0, last - first + 1), first],
      );
      return { logs, count: job.logCount };
    },

    "bullmq.meta": (name: string) => queues.get(name).meta,

    "bullmq.setMeta": (name: string, values: Record<string, string | number>) => {
      const queue = queues.get(name);
      const meta = { ...queue.meta };
      for (const [field, value] of Object.entries(values)) meta[field] = String(value);
      const added = Object.keys(meta).length - Object.keys(queue.meta).length;
      const changed = Object.entries(meta).some(([field, value]) => queue.meta[field] !== value);
      // Every `Queue` sets its options when it is created; a thousand of them at a start change nothing.
      if (changed) queues.setMeta(queue, meta);
      if ("concurrency" in values) signals.ready(queue);
      return added;
    },

    "bullmq.removeMeta": (name: string, fields: string[]) => {
      const queue = queues.get(name);
      const kept = Object.entries(queue.meta).filter(([field]) => !fields.includes(field));
      const removed = Object.keys(queue.meta).length - kept.length;
      if (removed > 0) queues.setMeta(queue, Object.fromEntries(kept));
      signals.ready(queue);
      return removed;
    },

    "bullmq.pause": (name: string, pause: boolean) => {
      const queue = queues.get(name);
      const { paused, ...rest } = queue.meta;
      if ((paused !== undefined) !== pause) queues.setMeta(queue, pause ? { ...rest, paused: "1" } : rest);
      signals.ready(queue);
      events.add(queue, pause ? "paused" : "resumed");
    },
  };
}
