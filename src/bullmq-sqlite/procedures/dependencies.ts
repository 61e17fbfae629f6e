import type { Context } from "./context.ts";
import { JOB_ROW, type JobRow } from "./job-row.ts";
import { splitKey } from "./parents.ts";

export type Status = "pending" | "processed" | "ignored" | "failed";
export type Dependency = [child: string, value: string | null];

/** Questions about the children of a job. */
export function dependencyProcedures({ db, queues, jobs }: Context) {
  const seqOf = (name: string, id: string) => jobs.find(queues.get(name), id)?.seq ?? -1;

  const list = (name: string, id: string, status: Status, offset: number, limit: number) =>
    db.rows<Dependency>(
      "SELECT child, value FROM bullmq_dependency WHERE parent = ? AND status = ? ORDER BY child LIMIT ? OFFSET ?",
      [seqOf(name, id), status, limit, offset],
    );

  const count = (name: string, id: string, status: Status) =>
    db.value<number>("SELECT count(*) FROM bullmq_dependency WHERE parent = ? AND status = ?", [
      seqOf(name, id),
      status,
    ])!;

  return {
    "bullmq.dependencies": list,
    "bullmq.dependencyCounts": (name: string, id: string, statuses: Status[]) =>
      statuses.map((status) => count(name, id, status)),

    /** Returns a page of children with their jobs, as far as these exist. */
    "bullmq.dependencyPage": (name: string, id: string, status: Status, offset: number, limit: number) => {
      const children = list(name, id, status, offset, limit);
      const found = children.map(([key]) => {
        const [queueName, childId] = splitKey(key);
        const queue = queues.find(queueName);
        const sql = `SELECT ${JOB_ROW} FROM bullmq_job WHERE queue = ? AND id = ?`;
        return queue && db.row<JobRow>(sql, [queue.id, childId]);
      });
      return { children, jobs: found.filter((job) => job !== undefined), total: count(name, id, status) };
    },
  };
}
