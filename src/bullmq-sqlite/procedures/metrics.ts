import type { Database } from "../engine/database.ts";
import type { Context } from "./context.ts";
import type { QueueState } from "./queues.ts";

type Row = [count: number, previousOn: number, previousCount: number];

const READ = "SELECT count, previous_on, previous_count FROM bullmq_metric WHERE queue = ? AND kind = ?";

/** Counts a finished job. Each minute that has passed adds a data point with the jobs finished since the last one. */
export function collectMetrics(db: Database, queue: QueueState, kind: string, maxPoints: number, now: number): void {
  const row = db.row<Row>(READ, [queue.id, kind]);
  if (!row) {
    db.run("INSERT INTO bullmq_metric VALUES (?, ?, 1, ?, 0)", [queue.id, kind, now]);
    return;
  }
  const [count, previousOn, previousCount] = row;
  const minutes = Math.min(Math.floor(now / 60_000) - Math.floor(previousOn / 60_000), maxPoints);
  if (minutes <= 0) {
    db.run("UPDATE bullmq_metric SET count = count + 1 WHERE queue = ? AND kind = ?", [queue.id, kind]);
    return;
  }
  const last = db.value<number>("SELECT coalesce(max(n), 0) FROM bullmq_metric_point WHERE queue = ? AND kind = ?", [
    queue.id,
    kind,
  ])!;
  // The jobs count for the oldest of these minutes, as on Redis, where the points are pushed in this order.
  for (let minute = 1; minute <= minutes; minute += 1) {
    db.run("INSERT INTO bullmq_metric_point VALUES (?, ?, ?, ?)", [
      queue.id,
      kind,
      last + minute,
      minute === 1 ? count - previousCount : 0,
    ]);
  }
  db.run("DELETE FROM bullmq_metric_point WHERE queue = ? AND kind = ? AND n <= ?", [
    queue.id,
    kind,
    last + minutes - maxPoints,
  ]);
  db.run(
    "UPDATE bullmq_metric SET count = count + 1, previous_on = ?, previous_count = ? WHERE queue = ? AND kind = ?",
    [now, count, queue.id, kind],
  );
}

export function metricsProcedures({ db, queues }: Context) {
  return {
    /** Returns count, time and count of the last data point, then the points from the newest on. */
    "bullmq.metrics": (name: string, kind: string, start: number, end: number): [string[], string[], number] => {
      const queue = queues.get(name);
      const row = db.row<Row>(READ, [queue.id, kind]);
      const points = db.values<number>(
        "SELECT value FROM bullmq_metric_point WHERE queue = ? AND kind = ? ORDER BY n DESC",
        [queue.id, kind],
      );
      const last = end < 0 ? points.length + end : end;
      const first = start < 0 ? Math.max(0, points.length + start) : start;
      return [(row ?? []).map(String), points.slice(first, last + 1).map(String), points.length];
    },
  };
}
