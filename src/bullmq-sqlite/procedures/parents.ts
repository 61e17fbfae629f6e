import type { Events } from "./events.ts";
import type { Job, Jobs } from "./jobs.ts";
import type { QueueState, Queues } from "./queues.ts";

export interface Located {
  queue: QueueState;
  job: Job;
}

/** The options of a child that its parent's fate depends on, as `Job.parent` holds them. */
interface ParentData {
  id: string;
  queueKey: string;
  fpof?: boolean;
  cpof?: boolean;
  idof?: boolean;
  rdof?: boolean;
}

type Status = "pending" | "processed" | "ignored" | "failed";

/** Flows: a parent waits for its children, which may be in other queues. A child's key is `<queue>:<id>`. */
export class Parents {
  readonly #jobs: Jobs;
  readonly #queues: Queues;
  readonly #events: Events;

  constructor(jobs: Jobs, queues: Queues, events: Events) {
    this.#jobs = jobs;
    this.#queues = queues;
    this.#events = events;
  }

  locate(key: string | null | undefined): Located | undefined {
    if (!key) return undefined;
    const [name, id] = splitKey(key);
    const queue = this.#queues.find(name);
    const job = queue && this.#jobs.find(queue, id);
    return job && { queue, job };
  }

  set(parent: Job, child: string, status: Status, value: string | null = null): void {
    this.#jobs.db.run("INSERT OR REPLACE INTO bullmq_dependency VALUES (?, ?, ?, ?)", [
      parent.seq,
      child,
      status,
      value,
    ]);
    if (!parent.hasChildren) this.#jobs.db.run("UPDATE bullmq_job SET has_children = 1 WHERE seq = ?", [parent.seq]);
    parent.hasChildren = 1;
  }

  children(parent: Job, status: Status): string[] {
    if (!parent.hasChildren) return [];
    return this.#jobs.db.values<string>("SELECT child FROM bullmq_dependency WHERE parent = ? AND status = ?", [
      parent.seq,
      status,
    ]);
  }

  has(parent: Job, status: Status): boolean {
    if (!parent.hasChildren) return false;
    const sql = "SELECT 1 FROM bullmq_dependency WHERE parent = ? AND status = ? LIMIT 1";
    return this.#jobs.db.value(sql, [parent.seq, status]) !== undefined;
  }

  is(parent: Job, child: string, status: Status): boolean {
    const sql = "SELECT 1 FROM bullmq_dependency WHERE parent = ? AND child = ? AND status = ?";
    return this.#jobs.db.value(sql, [parent.seq, child, status]) !== undefined;
  }

  childCompleted(queue: QueueState, child: Job, result: string, now: number): void {
    const parent = this.locate(child.parentKey);
    const key = keyOf(queue, child.id);
    if (!parent || !this.#take(parent.job, key, "pending")) return;
    this.set(parent.job, key, "processed", result);
    this.releaseIfDone(parent, now);
  }

  childFailed(queue: QueueState, child: Job, reason: string, now: number): void {
    if (!child.parent) return;
    const options = JSON.parse(child.parent) as ParentData;
    if (!options.fpof && !options.cpof && !options.idof && !options.rdof) return;
    const parent = this.locate(`${options.queueKey}:${options.id}`);
    const key = keyOf(queue, child.id);
    if (!parent || !this.#take(parent.job, key, "pending")) return;
    if (options.fpof) {
      this.set(parent.job, key, "failed", String(now));
      this.#failParent(parent, key, now);
    } else if (options.cpof) {
      this.set(parent.job, key, "ignored", reason);
      if (parent.job.state === "waiting-children") this.#moveToWait(parent, now);
    } else {
      if (options.idof) this.set(parent.job, key, "ignored", reason);
      this.releaseIfDone(parent, now);
    }
  }

  /** Moves a parent on that waits for children of which none is pending any more. */
  releaseIfDone(parent: Located, now: number): void {
    if (parent.job.state === "waiting-children" && !this.has(parent.job, "pending")) this.#moveToWait(parent, now);
  }

  /** A finished child is retried: its parent waits for it again. */
  childRetried(queue: QueueState, child: Job, from: "completed" | "failed"): void {
    const parent = this.locate(child.parentKey);
    if (!parent) return;
    const key = keyOf(queue, child.id);
    const statuses: Status[] = from === "failed" ? ["failed", "ignored"] : ["processed"];
    if (statuses.some((status) => this.#take(parent.job, key, status))) this.set(parent.job, key, "pending");
  }

  /**
   * A child goes away without a result. A parent whose last pending child it was goes on; with `hard`, a parent in the
   * same queue is removed as well.
   */
  childRemoved(queue: QueueState, child: Job, hard: boolean, parentKey = child.parentKey): boolean {
    const parent = this.locate(parentKey);
    if (!parent || !this.#take(parent.job, keyOf(queue, child.id), "pending")) return false;
    if (parent.job.state !== "waiting-children" || this.has(parent.job, "pending")) return true;
    if (hard && parent.queue === queue) {
      this.childRemoved(parent.queue, parent.job, hard);
      this.#jobs.delete(parent.queue, parent.job);
      return true;
    }
    this.#jobs.enqueueWaiting(parent.queue, parent.job.seq, true);
    if (!hard) this.#events.add(parent.queue, "waiting", { jobId: parent.job.id, prev: "waiting-children" });
    return true;
  }

  #take(parent: Job, child: string, status: Status): boolean {
    const sql = "DELETE FROM bullmq_dependency WHERE parent = ? AND child = ? AND status = ?";
    return this.#jobs.db.run(sql, [parent.seq, child, status]) > 0;
  }

  #failParent({ queue, job }: Located, childKey: string, now: number): void {
    if (job.state === "failed") return;
    const waits = job.state === "waiting-children" || job.state === "delayed";
    this.#jobs.db.run("UPDATE bullmq_job SET deferred_failure = ? WHERE seq = ?", [
      `child ${childKey} failed`,
      job.seq,
    ]);
    if (!waits) return;
    if (job.state === "delayed") {
      this.#jobs.db.run("UPDATE bullmq_job SET delay = 0 WHERE seq = ?", [job.seq]);
      job.delay = 0;
    }
    this.#moveToWait({ queue, job }, now);
  }

  #moveToWait({ queue, job }: Located, now: number): void {
    if (job.delay > 0) {
      this.#jobs.delay(queue, job, now + job.delay, job.delay);
      return;
    }
    this.#jobs.enqueue(queue, job, job.priority === 0);
    this.#events.add(queue, "waiting", { jobId: job.id, prev: "waiting-children" });
  }
}

export function keyOf(queue: QueueState, id: string): string {
  return `${queue.name}:${id}`;
}

/** Splits a job's key at the last colon: a queue's name may contain some, an id only those of a job scheduler. */
export function splitKey(key: string): [queue: string, id: string] {
  const scheduled = key.indexOf(":repeat:");
  const at = scheduled === -1 ? key.lastIndexOf(":") : scheduled;
  return [key.slice(0, at), key.slice(at + 1)];
}
