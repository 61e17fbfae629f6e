import { Code, type Context } from "./context.ts";
import type { Deduplication } from "./deduplication.ts";
import type { Job } from "./jobs.ts";
import { keyOf } from "./parents.ts";
import type { QueueState } from "./queues.ts";
import type { AddRequest, FlowRequest } from "./requests.ts";

/** Thrown where several jobs are added together, so that none of them is. */
class AddError extends Error {
  override name = "AddError";

  constructor(
    readonly code: number,
    readonly parentKey: string | null | undefined,
  ) {
    super(`A job cannot be added to the parent ${parentKey}.`);
  }
}

export class Adding {
  readonly #context: Context;
  readonly #deduplication: Deduplication;

  constructor(context: Context, deduplication: Deduplication) {
    this.#context = context;
    this.#deduplication = deduplication;
  }

  /** Returns the job's id, or that of the job in its place, or a negative code. With `flow`, no parent is released yet. */
  add(queue: QueueState, request: AddRequest, flow = false): string | number {
    const { jobs, parents } = this.#context;
    const parent = request.parentKey ? parents.locate(request.parentKey) : undefined;
    if (request.parentKey && !parent) return Code.missingParent;
    const number = jobs.nextId(queue);
    const job: AddRequest = { ...request, id: request.id || number };
    if (job.deduplication) {
      const existing = request.id ? jobs.find(queue, job.id) : undefined;
      if (existing) return this.#duplicated(queue, existing, request, flow);
      const holder = this.#deduplication.check(queue, job, job.deduplication);
      if (holder !== undefined) return holder;
      job.deduplicationId = job.deduplication.id;
    }
    while (!jobs.insert(queue, job)) {
      if (request.id) return this.#duplicated(queue, jobs.find(queue, job.id)!, request, flow);
      // A job with an id of its own has taken the number.
      job.id = jobs.nextId(queue);
    }
    if (parent) parents.set(parent.job, keyOf(queue, job.id), "pending");
    return job.id;
  }

  #duplicated(queue: QueueState, existing: Job, request: AddRequest, flow: boolean): string | number {
    const { db, events, parents } = this.#context;
    const { parentKey } = request;
    const other =
      existing.parentKey && existing.parentKey !== parentKey ? parents.locate(existing.parentKey) : undefined;
    if (parentKey && other) return Code.otherParent;
    const parent = parentKey ? parents.locate(parentKey) : undefined;
    if (parent) {
      const key = keyOf(queue, existing.id);
      if (existing.state === "completed") {
        const result = db.value<string>("SELECT return_value FROM bullmq_job WHERE seq = ?", [existing.seq]) ?? "null";
        parents.set(parent.job, key, "processed", result);
        if (!flow) parents.releaseIfDone(parent, request.timestamp);
      } else {
        parents.set(parent.job, key, "pending");
      }
      db.run("UPDATE bullmq_job SET parent_key = ?, parent = ? WHERE seq = ?", [
        parentKey!,
        request.parent ?? null,
        existing.seq,
      ]);
    }
    events.add(queue, "duplicated", { jobId: existing.id });
    return existing.id;
  }
}

export function addProcedures({ queues, parents }: Context, adding: Adding) {
  return {
    "bullmq.add": (name: string, request: AddRequest) => adding.add(queues.get(name), request),

    /** Adds all jobs or none. */
    "bullmq.addMany": (name: string, requests: AddRequest[]) => {
      const queue = queues.get(name);
      return requests.map((request) => {
        const result = adding.add(queue, request);
        if (typeof result === "number") throw new AddError(result, request.parentKey);
        return result;
      });
    },

    /** Adds jobs with their children, then releases the parents whose children had all finished before. */
    "bullmq.addFlow": (requests: FlowRequest[]) => {
      const unattached = new Set<string>();
      const results = requests.map((request) => {
        const result = adding.add(queues.get(request.queue), request, true);
        if (result === Code.otherParent) unattached.add(request.parentKey!);
        return result;
      });
      for (const key of new Set(requests.map(({ parentKey }) => parentKey))) {
        const parent = key && !unattached.has(key) ? parents.locate(key) : undefined;
        if (parent) parents.releaseIfDone(parent, Date.now());
      }
      return results;
    },
  };
}
