import { Code, type Context } from "./context.ts";
import { heldBy } from "./finish.ts";
import type { Job } from "./jobs.ts";
import type { QueueState } from "./queues.ts";
import type { AttemptFields, DelayRequest } from "./requests.ts";
import type { Taken, Taking } from "./take.ts";

/** Moves of single jobs out of the active and the delayed state. */
export function moveProcedures(context: Context, taking: Taking) {
  const { db, queues, jobs, events, parents } = context;

  const storeFields = (job: Job, fields: AttemptFields, attempts: number) =>
    db.run(
      "UPDATE bullmq_job SET attempts_made = attempts_made + ?, failed_reason = coalesce(?, failed_reason), " +
        "stacktrace = coalesce(?, stacktrace) WHERE seq = ?",
      [attempts, fields.failedReason ?? null, fields.stacktrace ?? null, job.seq],
    );

  /** Returns the job if the token holds it, else a negative code. */
  const held = (queue: QueueState, id: string, token: string): Job | number => {
    const job = jobs.find(queue, id);
    if (!job) return Code.missing;
    const refusal = heldBy(job, token);
    return refusal < 0 ? refusal : job;
  };

  return {
    "bullmq.delay": (name: string, request: DelayRequest): Taken | number => {
      const queue = queues.get(name);
      const job = held(queue, request.id, request.token);
      if (typeof job === "number") return job;
      storeFields(job, request, request.skipAttempt ? 0 : 1);
      jobs.delay(queue, job, request.now + Math.max(0, request.delay), request.delay);
      const next = request.next ? taking.take(queue, request.next) : undefined;
      return next?.[0] ? next : 0;
    },

    "bullmq.retry": (name: string, id: string, token: string, front: boolean, now: number, fields: AttemptFields) => {
      const queue = queues.get(name);
      taking.promoteDue(queue, now);
      const job = held(queue, id, token);
      if (typeof job === "number") return job;
      storeFields(job, fields, 1);
      jobs.enqueue(queue, job, front && job.priority === 0);
      events.add(queue, "waiting", { jobId: id, prev: "active" });
      return 0;
    },

    /** Puts a rate-limited job back to the head. Returns the rest of the limiter's window. */
    "bullmq.putBack": (name: string, id: string, token: string) => {
      const queue = queues.get(name);
      const job = held(queue, id, token);
      if (job === Code.wrongState) return 0;
      if (typeof job === "number") return job;
      jobs.enqueue(queue, job, true);
      events.add(queue, "waiting", { jobId: id, prev: "active" });
      return Math.max(0, queue.limitUntil - Date.now());
    },

    "bullmq.promote": (name: string, id: string) => {
      const queue = queues.get(name);
      const job = jobs.find(queue, id);
      if (job?.state !== "delayed") return Code.wrongState;
      jobs.enqueue(queue, job);
      db.run("UPDATE bullmq_job SET delay = 0 WHERE seq = ?", [job.seq]);
      events.add(queue, "waiting", { jobId: id, prev: "delayed" });
      return 0;
    },

    "bullmq.changeDelay": (name: string, id: string, delay: number, now: number) => {
      const queue = queues.get(name);
      const job = jobs.find(queue, id);
      if (!job) return Code.missing;
      if (job.state !== "delayed") return Code.wrongState;
      jobs.delay(queue, job, now + Math.max(0, delay), delay);
      return 0;
    },

    "bullmq.changePriority": (name: string, id: string, priority: number, lifo: boolean) => {
      const queue = queues.get(name);
      const job = jobs.find(queue, id);
      if (!job) return Code.missing;
      if (job.state === "waiting" || job.state === "prioritized") jobs.enqueue(queue, { ...job, priority }, lifo);
      db.run("UPDATE bullmq_job SET priority = ? WHERE seq = ?", [priority, job.seq]);
      return 0;
    },

    /** Returns 1 if the job need not wait, 0 if it waits now. */
    "bullmq.waitForChildren": (name: string, id: string, token: string, childKey: string, now: number) => {
      const queue = queues.get(name);
      const job = jobs.find(queue, id);
      if (!job) return Code.missing;
      if (parents.has(job, "failed")) return Code.failedChildren;
      if (!(childKey ? parents.is(job, childKey, "pending") : parents.has(job, "pending"))) return 1;
      const refusal = heldBy(job, token);
      if (refusal < 0) return refusal;
      jobs.setState(job.seq, "waiting-children", now);
      events.add(queue, "waiting-children", { jobId: id, prev: "active" });
      return 0;
    },
  };
}
