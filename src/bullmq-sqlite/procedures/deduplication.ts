import type { Context } from "./context.ts";
import type { Job } from "./jobs.ts";
import type { QueueState } from "./queues.ts";
import type { AddRequest, DeduplicationOptions } from "./requests.ts";

interface Key {
  jobId: string;
  until: number | null;
  next: string | null;
}

/** Expired keys deleted whenever a key is set, so that they do not accumulate. */
const SWEEP = 5;

/** Deduplication keys: which job holds an id, until when, and the job that follows it (`keepLastIfActive`). */
export class Deduplication {
  readonly #context: Context;

  constructor(context: Context) {
    this.#context = context;
  }

  find(queue: QueueState, id: string): Key | undefined {
    const row = this.#context.db.row<[string, number | null, string | null]>(
      "SELECT job_id, until, next FROM bullmq_deduplication WHERE queue = ? AND id = ?",
      [queue.id, id],
    );
    if (!row || (row[1] !== null && row[1] <= Date.now())) return undefined;
    return { jobId: row[0], until: row[1], next: row[2] };
  }

  delete(queue: QueueState, id: string): number {
    return this.#context.db.run("DELETE FROM bullmq_deduplication WHERE queue = ? AND id = ?", [queue.id, id]);
  }

  /** Frees the id of a removed job if the job holds it. */
  deleteOf(queue: QueueState, job: Job): void {
    const id = job.deduplicationId;
    if (id !== null && this.find(queue, id)?.jobId === job.id) this.delete(queue, id);
  }

  /** Returns the id of the job that takes the place of the new one, or undefined if the new one is to be added. */
  check(queue: QueueState, request: AddRequest, options: DeduplicationOptions): string | undefined {
    const { jobs, events } = this.#context;
    const key = this.find(queue, options.id);
    const holder = key && jobs.find(queue, key.jobId);
    if (!key || (key.until === null && !holder)) {
      this.#set(queue, options, request.id);
      return undefined;
    }
    if (options.replace && !request.waitingChildren) return this.#replace(queue, request, options, key, holder);

    if (this.#storeNext(queue, request, options, holder)) return key.jobId;
    if (options.extend && (options.ttl ?? 0) > 0) this.#set(queue, options, key.jobId);
    const fields = { jobId: key.jobId, deduplicationId: options.id, deduplicatedJobId: request.id };
    events.add(queue, "deduplicated", fields);
    if (options.reschedule && !request.waitingChildren && holder?.state === "delayed") {
      jobs.delay(queue, holder, request.timestamp + request.delay, request.delay);
    }
    return key.jobId;
  }

  /** Frees the id of a finished job. Returns the job that was to follow it, as an `AddRequest`. */
  finished(queue: QueueState, job: Job): AddRequest | undefined {
    const id = job.deduplicationId;
    const key = id === null ? undefined : this.find(queue, id);
    if (!key || key.until !== null || key.jobId !== job.id) return undefined;
    this.delete(queue, id!);
    return key.next === null ? undefined : (JSON.parse(key.next) as AddRequest);
  }

  #replace(
    queue: QueueState,
    request: AddRequest,
    options: DeduplicationOptions,
    key: Key,
    holder: Job | undefined,
  ): string | undefined {
    if (holder?.state !== "delayed") {
      this.#storeNext(queue, request, options, holder);
      return key.jobId;
    }
    const { jobs, events } = this.#context;
    jobs.delete(queue, holder);
    events.add(queue, "removed", { jobId: holder.id, prev: "delayed" });
    const fields = { jobId: request.id, deduplicationId: options.id, deduplicatedJobId: holder.id };
    events.add(queue, "deduplicated", fields);
    const keepsTtl = !options.keepLastIfActive && !options.extend && (options.ttl ?? 0) > 0;
    this.#set(queue, options, request.id, keepsTtl ? key.until : undefined);
    return undefined;
  }

  /** Keeps the newest job that arrives while the holder is active; it is added when the holder finishes. */
  #storeNext(queue: QueueState, request: AddRequest, options: DeduplicationOptions, holder: Job | undefined): boolean {
    if (!options.keepLastIfActive || holder?.state !== "active") return false;
    this.#context.db.run("UPDATE bullmq_deduplication SET until = NULL, next = ? WHERE queue = ? AND id = ?", [
      JSON.stringify(request),
      queue.id,
      options.id,
    ]);
    const fields = { jobId: holder.id, deduplicationId: options.id, deduplicatedJobId: request.id };
    this.#context.events.add(queue, "deduplicated", fields);
    return true;
  }

  #set(queue: QueueState, options: DeduplicationOptions, jobId: string, until?: number | null): void {
    const expires = !options.keepLastIfActive && (options.ttl ?? 0) > 0 ? Date.now() + options.ttl! : null;
    const { db } = this.#context;
    db.run(
      `DELETE FROM bullmq_deduplication WHERE (queue, id) IN
        (SELECT queue, id FROM bullmq_deduplication WHERE until <= ? LIMIT ${SWEEP})`,
      [Date.now()],
    );
    db.run("INSERT OR REPLACE INTO bullmq_deduplication (queue, id, job_id, until) VALUES (?, ?, ?, ?)", [
      queue.id,
      options.id,
      jobId,
      until === undefined ? expires : until,
    ]);
  }
}

export function deduplicationProcedures({ queues }: Context, deduplication: Deduplication) {
  return {
    "bullmq.deduplicationJob": (name: string, id: string) => deduplication.find(queues.get(name), id)?.jobId ?? null,
    "bullmq.deleteDeduplication": (name: string, id: string) => deduplication.delete(queues.get(name), id),
    "bullmq.deleteDeduplicationOf": (name: string, id: string, jobId: string) => {
      const queue = queues.get(name);
      return deduplication.find(queue, id)?.jobId === jobId ? deduplication.delete(queue, id) : 0;
    },
  };
}
