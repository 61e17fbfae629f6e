import { Code, type Context } from "./context.ts";
import type { Job } from "./jobs.ts";
import type { QueueState } from "./queues.ts";

type FinishedState = "completed" | "failed";

export interface RetryOptions {
  front: boolean;
  resetAttemptsMade: boolean;
  resetAttemptsStarted: boolean;
}

/** Moves of finished and delayed jobs back to the waiting ones. */
export function retryFinishedProcedures({ db, queues, jobs, events, parents }: Context) {
  const clearResult = (queue: QueueState, job: Job, state: FinishedState) => {
    db.run(
      "UPDATE bullmq_job SET finished_on = NULL, processed_on = NULL, " +
        `${state === "failed" ? "failed_reason" : "return_value"} = NULL WHERE seq = ?`,
      [job.seq],
    );
    parents.childRetried(queue, job, state);
    jobs.leaves(queue, state);
  };

  /** Moves up to `limit` jobs of a state; they wait in the order in which they left it. Returns 1 if there may be more. */
  const moveAll = (queue: QueueState, state: FinishedState | "delayed", limit: number, below: number) => {
    const moved = jobs.list(queue, state, { limit, below });
    for (const job of moved) {
      if (state !== "delayed") clearResult(queue, job, state);
      jobs.enqueueWaiting(queue, job.seq, false);
      events.add(queue, "waiting", { jobId: job.id, prev: state });
    }
    return moved.length >= limit ? 1 : 0;
  };

  return {
    "bullmq.retryFinished": (name: string, id: string, state: FinishedState, options: RetryOptions) => {
      const queue = queues.get(name);
      const job = jobs.find(queue, id);
      if (!job) return Code.missing;
      if (job.state !== state) return Code.wrongState;
      clearResult(queue, job, state);
      if (options.resetAttemptsMade) db.run("UPDATE bullmq_job SET attempts_made = 0 WHERE seq = ?", [job.seq]);
      if (options.resetAttemptsStarted) db.run("UPDATE bullmq_job SET attempts_started = 0 WHERE seq = ?", [job.seq]);
      jobs.enqueue(queue, job, options.front && job.priority === 0);
      events.add(queue, "waiting", { jobId: id, prev: state });
      return 1;
    },

    "bullmq.retryAllFinished": (name: string, state: FinishedState, limit: number, until: number) =>
      moveAll(queues.get(name), state, limit, until + 1),

    "bullmq.promoteAll": (name: string, limit: number) =>
      moveAll(queues.get(name), "delayed", limit, Number.MAX_SAFE_INTEGER),
  };
}
