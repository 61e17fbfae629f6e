import type { Thread } from "../engine/thread.ts";

/** BullMQ's default length of the event stream. */
const MAX_EVENTS = 10_000;

type FinishedState = "completed" | "failed";

/** One queue: its row, cached, and what is known about its jobs. */
export class QueueState {
  meta: Record<string, string> = {};
  /** Numbers the jobs without an id of their own. */
  jobCounter = 0;
  /** Jobs taken in the current window of the rate limiter, and the window's end. */
  limitCount = 0;
  limitUntil = 0;
  /** No delayed job is due before this time; `undefined` if not known. A removed job leaves it too early. */
  nextDue: number | undefined;
  /** Until then another stalled check does nothing. */
  stalledCheckUntil = 0;
  /** Exact number of finished jobs, if known. */
  readonly finished = new Map<FinishedState, number>();
  /** Number of stored events, if known, and the number of the last one. */
  events: { count: number; last: number } | undefined;
  /** The row must be read again before use. */
  stale = false;

  constructor(
    public id: number,
    readonly name: string,
  ) {}

  get paused(): boolean {
    return this.meta.paused !== undefined;
  }

  get maxEvents(): number {
    return Number(this.meta["opts.maxLenEvents"] ?? MAX_EVENTS);
  }

  number(field: "concurrency" | "max" | "duration"): number | undefined {
    const value = this.meta[field];
    return value === undefined ? undefined : Number(value);
  }
}

/**
 * Rows of `bullmq_queue`, cached: every operation reads its queue. Counters change with every job, so they are written
 * once per batch; they only grow, and an operation that is undone leaves a gap.
 */
export class Queues {
  readonly #db: Thread["db"];
  readonly #byName = new Map<string, QueueState>();
  readonly #changed = new Set<QueueState>();

  constructor(thread: Thread) {
    this.#db = thread.db;
    thread.hooks.push({ beforeCommit: () => this.#write(), afterRollback: () => this.#forget() });
  }

  /** Returns the queue; creates it if it does not exist. */
  get(name: string): QueueState {
    const known = this.find(name);
    if (known) return known;
    this.#db.run("INSERT INTO bullmq_queue (name) VALUES (?)", [name]);
    return this.find(name)!;
  }

  find(name: string): QueueState | undefined {
    const cached = this.#byName.get(name);
    if (cached && !cached.stale) return cached;
    const queue = cached ?? new QueueState(0, name);
    if (!this.#read(queue)) return undefined;
    queue.stale = false;
    this.#byName.set(name, queue);
    return queue;
  }

  changed(queue: QueueState): void {
    this.#changed.add(queue);
  }

  setMeta(queue: QueueState, meta: Record<string, string>): void {
    queue.meta = meta;
    this.#db.run("UPDATE bullmq_queue SET meta = ? WHERE id = ?", [JSON.stringify(meta), queue.id]);
  }

  remove(queue: QueueState): void {
    this.#db.run("DELETE FROM bullmq_queue WHERE id = ?", [queue.id]);
    this.#byName.delete(queue.name);
    this.#changed.delete(queue);
  }

  #read(queue: QueueState): boolean {
    type Row = [id: number, meta: string, counter: number, limitCount: number, limitUntil: number];
    const row = this.#db.row<Row>(
      "SELECT id, meta, job_counter, limit_count, limit_until FROM bullmq_queue WHERE name = ?",
      [queue.name],
    );
    if (!row) return false;
    const first = queue.id === 0;
    queue.id = row[0];
    queue.meta = JSON.parse(row[1]) as Record<string, string>;
    // Afterwards memory is ahead of the file.
    if (first) [, , queue.jobCounter, queue.limitCount, queue.limitUntil] = row;
    return true;
  }

  #write(): void {
    for (const queue of this.#changed) {
      this.#db.run("UPDATE bullmq_queue SET job_counter = ?, limit_count = ?, limit_until = ? WHERE name = ?", [
        queue.jobCounter,
        queue.limitCount,
        queue.limitUntil,
        queue.name,
      ]);
    }
    this.#changed.clear();
  }

  #forget(): void {
    for (const queue of this.#byName.values()) {
      queue.stale = true;
      queue.nextDue = undefined;
      queue.events = undefined;
      queue.finished.clear();
    }
  }
}
