import { Code, type Context } from "./context.ts";
import type { Deduplication } from "./deduplication.ts";
import { isLocked, type Job } from "./jobs.ts";
import type { Located } from "./parents.ts";
import type { QueueState } from "./queues.ts";

interface RemoveOptions {
  children: boolean;
  /** Leaves finished children alone. */
  ignoreFinished?: boolean;
  /** Leaves children alone that a worker is processing. */
  ignoreLocked?: boolean;
}

/** Removal of jobs, alone or with the children of their flow. */
export class Removal {
  readonly #context: Context;
  readonly #deduplication: Deduplication;

  constructor(context: Context, deduplication: Deduplication) {
    this.#context = context;
    this.#deduplication = deduplication;
  }

  /** Removes a job whatever its state; with `hard`, also a parent in the same queue that waited for it alone. */
  discard(queue: QueueState, job: Job, hard: boolean): void {
    this.#context.parents.childRemoved(queue, job, hard);
    this.#deduplication.deleteOf(queue, job);
    this.#context.jobs.delete(queue, job);
  }

  /** Whether a worker is processing the job or, with `children`, one of its pending children. */
  locked(job: Job, children: boolean): boolean {
    if (isLocked(job)) return true;
    return children && this.#located(job, ["pending"]).some((child) => this.locked(child.job, true));
  }

  remove(queue: QueueState, job: Job, options: RemoveOptions, parentKey?: string): void {
    if (options.ignoreLocked && isLocked(job)) return;
    if (options.ignoreFinished && job.state === "failed") return;
    const { parents, events } = this.#context;
    parents.childRemoved(queue, job, false, parentKey ?? job.parentKey);
    if (options.children) this.removeChildren({ queue, job }, options);
    this.#deduplication.deleteOf(queue, job);
    this.#context.jobs.delete(queue, job);
    events.add(queue, "removed", { jobId: job.id, prev: job.state === "waiting" ? "wait" : job.state });
  }

  removeChildren({ queue, job }: Located, options: RemoveOptions): void {
    const statuses = options.ignoreFinished
      ? (["pending"] as const)
      : (["processed", "ignored", "failed", "pending"] as const);
    for (const child of this.#located(job, statuses)) {
      this.remove(child.queue, child.job, options, `${queue.name}:${job.id}`);
    }
  }

  #located(parent: Job, statuses: readonly Parameters<Context["parents"]["children"]>[1][]): Located[] {
    const { parents } = this.#context;
    return statuses
      .flatMap((status) => parents.children(parent, status))
      .map((key) => parents.locate(key))
      .filter((child) => child !== undefined);
  }
}

/** Whether the job is the next run of a job scheduler. */
export function isScheduled({ db }: Context, queue: QueueState, job: Job): boolean {
  if (job.schedulerId === null) return false;
  const next = db.value<number>("SELECT next_run FROM bullmq_scheduler WHERE queue = ? AND id = ?", [
    queue.id,
    job.schedulerId,
  ]);
  return next !== undefined && job.id === `repeat:${job.schedulerId}:${next}`;
}

export function removeProcedures(context: Context, removal: Removal) {
  const { db, queues, jobs, parents } = context;
  return {
    /** Returns 1 if the job was removed or did not exist, 0 if it is locked. */
    "bullmq.remove": (name: string, id: string, children: boolean) => {
      const queue = queues.get(name);
      const job = jobs.find(queue, id);
      if (!job) return 1;
      if (isScheduled(context, queue, job)) return Code.scheduled;
      if (removal.locked(job, children)) return 0;
      removal.remove(queue, job, { children });
      return 1;
    },

    "bullmq.removeUnprocessedChildren": (name: string, id: string) => {
      const queue = queues.get(name);
      const job = jobs.find(queue, id);
      const options = { children: true, ignoreFinished: true, ignoreLocked: true };
      if (job) removal.removeChildren({ queue, job }, options);
    },

    /** Returns 0 if the child was detached from its parent, 1 if it was not a pending child. */
    "bullmq.removeChildDependency": (name: string, id: string, parentKey: string) => {
      const queue = queues.get(name);
      const job = jobs.find(queue, id);
      if (!job) return Code.missing;
      if (!parents.locate(parentKey)) return Code.missingParent;
      if (!parents.childRemoved(queue, job, false, parentKey)) return 1;
      db.run("UPDATE bullmq_job SET parent_key = NULL, parent = NULL WHERE seq = ?", [job.seq]);
      return 0;
    },
  };
}
