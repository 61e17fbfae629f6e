import type { SqlValue } from "../engine/database.ts";
import type { Thread } from "../engine/thread.ts";
import type { Events } from "./events.ts";
import type { QueueState, Queues } from "./queues.ts";
import type { NewJob } from "./requests.ts";
import type { Sequence } from "./sequence.ts";
import type { Signals } from "./signals.ts";

export type State = "waiting" | "prioritized" | "delayed" | "active" | "completed" | "failed" | "waiting-children";

/** The columns that decide about a job, without its data. */
export interface Job {
  seq: number;
  id: string;
  state: State;
  priority: number;
  delay: number;
  attemptsMade: number;
  lockToken: string | null;
  lockUntil: number;
  logCount: number;
  hasChildren: number;
  deduplicationId: string | null;
  schedulerId: string | null;
  parentKey: string | null;
  parent: string | null;
}

const COLUMNS =
  "seq, id, state, priority, delay, attempts_made, lock_token, lock_until, log_count, has_children, " +
  "deduplication_id, scheduler_id, parent_key, parent";

const FIND = `SELECT ${COLUMNS} FROM bullmq_job WHERE queue = ? AND id = ?`;

type Row = [
  seq: number,
  id: string,
  state: State,
  priority: number,
  delay: number,
  attemptsMade: number,
  lockToken: string | null,
  lockUntil: number,
  logCount: number,
  hasChildren: number,
  deduplicationId: string | null,
  schedulerId: string | null,
  parentKey: string | null,
  parent: string | null,
];

/** Delayed jobs of the same millisecond keep their order: due time × 4096 + position, as BullMQ's scores on Redis. */
export const DELAY_SCALE = 4_096;
/** Prioritized: priority × 2³² + number of arrival. */
const PRIORITY_SCALE = 2 ** 32;

export class Jobs {
  readonly db: Thread["db"];
  readonly #queues: Queues;
  readonly #events: Events;
  readonly #signals: Signals;
  readonly #sequence: Sequence;

  constructor(thread: Thread, queues: Queues, events: Events, signals: Signals, sequence: Sequence) {
    this.db = thread.db;
    this.#queues = queues;
    this.#events = events;
    this.#signals = signals;
    this.#sequence = sequence;
  }

  find(queue: QueueState, id: string): Job | undefined {
    const row = this.db.row<Row>(FIND, [queue.id, id]);
    return row && toJob(row);
  }

  /** Jobs of a state in the order of their rank. */
  list(queue: QueueState, state: State, { limit = -1, below = Number.MAX_SAFE_INTEGER, newest = false } = {}): Job[] {
    return this.db
      .rows<Row>(
        `SELECT ${COLUMNS} FROM bullmq_job WHERE queue = ? AND state = ? AND rank < ? ` +
          `ORDER BY rank ${newest ? "DESC" : ""} LIMIT ?`,
        [queue.id, state, below, limit],
      )
      .map(toJob);
  }

  count(queue: QueueState, state: State): number {
    return this.db.value<number>("SELECT count(*) FROM bullmq_job WHERE queue = ? AND state = ?", [queue.id, state])!;
  }

  any(queue: QueueState, state: State): boolean {
    const sql = "SELECT 1 FROM bullmq_job WHERE queue = ? AND state = ? LIMIT 1";
    return this.db.value(sql, [queue.id, state]) !== undefined;
  }

  /** Whether no further job may be taken because of the pause or the global concurrency. */
  pausedOrMaxed(queue: QueueState): boolean {
    return queue.paused || this.maxed(queue);
  }

  maxed(queue: QueueState): boolean {
    const limit = queue.number("concurrency");
    return limit !== undefined && this.count(queue, "active") >= limit;
  }

  /** Stores a job in its first state. Returns false if the queue has a job with this id. */
  insert(queue: QueueState, job: NewJob): boolean {
    const [state, rank] = this.#firstPlace(queue, job);
    const columns: Record<string, SqlValue> = {
      queue: queue.id,
      id: job.id,
      state,
      rank,
      name: job.name,
      opts: job.opts,
      timestamp: job.timestamp,
      delay: job.delay,
      priority: job.priority,
      deduplication_id: job.deduplicationId ?? null,
      scheduler_id: job.schedulerId ?? null,
      parent_key: job.parentKey ?? null,
      parent: job.parent ?? null,
      data: job.data,
    };
    const inserted = this.db.run(INSERT, Object.values(columns));
    if (inserted === 0) return false;
    this.#events.add(queue, "added", { jobId: job.id, name: job.name });
    if (state === "delayed") this.#announceDelay(queue, job.id, Math.floor(rank / DELAY_SCALE));
    else this.#events.add(queue, state === "waiting-children" ? state : "waiting", { jobId: job.id });
    if (state === "waiting" || state === "prioritized") this.#signals.ready(queue);
    return true;
  }

  /** Moves a job to where workers take it: by priority, or into the waiting list at its end or (`front`) its head. */
  enqueue(queue: QueueState, { seq, priority }: Pick<Job, "seq" | "priority">, front = false): void {
    if (priority > 0) this.setState(seq, "prioritized", this.#priorityRank(priority, front));
    else this.enqueueWaiting(queue, seq, front);
    this.#signals.ready(queue);
  }

  enqueueWaiting(queue: QueueState, seq: number, front: boolean): void {
    this.setState(seq, "waiting", front ? -this.#sequence.next() : this.#sequence.next());
    this.#signals.ready(queue);
  }

  /** Moves a job to the delayed ones, due at a time. `delay` is what the job shows. */
  delay(queue: QueueState, job: Pick<Job, "seq" | "id">, at: number, delay: number): void {
    this.setState(job.seq, "delayed", this.#delayedRank(queue, at));
    this.db.run("UPDATE bullmq_job SET delay = ? WHERE seq = ?", [delay, job.seq]);
    this.#announceDelay(queue, job.id, at);
  }

  setState(seq: number, state: State, rank: number): void {
    this.db.run("UPDATE bullmq_job SET state = ?, rank = ?, lock_token = NULL, stalled = 0 WHERE seq = ?", [
      state,
      rank,
      seq,
    ]);
  }

  nextRank(): number {
    return this.#sequence.next();
  }

  /** Deletes a job and what belongs to it alone. */
  delete(queue: QueueState, job: Job): void {
    this.db.run("DELETE FROM bullmq_job WHERE seq = ?", [job.seq]);
    if (job.logCount > 0) this.db.run("DELETE FROM bullmq_log WHERE job = ?", [job.seq]);
    if (job.hasChildren) this.db.run("DELETE FROM bullmq_dependency WHERE parent = ?", [job.seq]);
    this.leaves(queue, job.state);
  }

  /** Must be called when a job leaves a finished state, whose size is remembered. */
  leaves(queue: QueueState, state: State): void {
    if (state === "completed" || state === "failed") queue.finished.delete(state);
  }

  /** Returns the next number for a job without an id. */
  nextId(queue: QueueState): string {
    queue.jobCounter += 1;
    this.#queues.changed(queue);
    return String(queue.jobCounter);
  }

  #firstPlace(queue: QueueState, job: NewJob): [State, number] {
    if (job.waitingChildren) return ["waiting-children", job.timestamp];
    if (job.delay > 0) return ["delayed", this.#delayedRank(queue, job.timestamp + job.delay)];
    if (job.priority > 0) return ["prioritized", this.#priorityRank(job.priority, false)];
    return ["waiting", job.lifo ? -this.#sequence.next() : this.#sequence.next()];
  }

  #priorityRank(priority: number, front: boolean): number {
    return priority * PRIORITY_SCALE + (front ? 0 : this.#sequence.next() % PRIORITY_SCALE);
  }

  #delayedRank(queue: QueueState, at: number): number {
    const first = at * DELAY_SCALE;
    const highest = first + DELAY_SCALE - 1;
    const last = this.db.value<number | null>(
      "SELECT max(rank) FROM bullmq_job WHERE queue = ? AND state = 'delayed' AND rank BETWEEN ? AND ?",
      [queue.id, first, highest],
    );
    return typeof last === "number" ? Math.min(last + 1, highest) : first;
  }

  #announceDelay(queue: QueueState, jobId: string, at: number): void {
    if (queue.nextDue !== undefined) queue.nextDue = Math.min(queue.nextDue, at);
    this.#events.add(queue, "delayed", { jobId, delay: at });
    this.#signals.due(queue, at);
  }
}

const INSERT =
  "INSERT INTO bullmq_job (queue, id, state, rank, name, opts, timestamp, delay, priority, deduplication_id, " +
  "scheduler_id, parent_key, parent, data) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) " +
  "ON CONFLICT (queue, id) DO NOTHING";

export function isLocked({ lockToken, lockUntil }: Job): boolean {
  return lockToken !== null && lockUntil > Date.now();
}

function toJob(row: Row): Job {
  return {
    seq: row[0],
    id: row[1],
    state: row[2],
    priority: row[3],
    delay: row[4],
    attemptsMade: row[5],
    lockToken: row[6],
    lockUntil: row[7],
    logCount: row[8],
    hasChildren: row[9],
    deduplicationId: row[10],
    schedulerId: row[11],
    parentKey: row[12],
    parent: row[13],
  };
}
