import type { Thread } from "../engine/thread.ts";
import type { QueueState, Queues } from "./queues.ts";

/** Event numbers grow with the time: milliseconds × 4096 + position, as the ids `<ms>-<position>` of Redis streams do. */
const PER_MS = 4_096;
/** Events over the limit that accumulate before the oldest are deleted together. */
const SLACK = 100;
const READ_LIMIT = 500;

export const EVENTS_TOPIC = "bullmq:events";

type Fields = Record<string, string | number>;

/** The event streams that `QueueEvents` reads. Events of a batch are written by one statement at its end. */
export class Events {
  readonly #thread: Thread;
  #pending: [queue: QueueState, fields: string[]][] = [];

  constructor(thread: Thread) {
    this.#thread = thread;
    thread.hooks.push({
      beforeOperation: () => this.#write(),
      beforeCommit: () => this.#write(),
      afterRollback: () => {
        this.#pending = [];
      },
    });
  }

  add(queue: QueueState, event: string, fields: Fields = {}): void {
    if (queue.maxEvents <= 0) return;
    const flat: string[] = ["event", event];
    for (const name in fields) flat.push(name, String(fields[name]));
    this.#pending.push([queue, flat]);
  }

  /** Adds an event at once and returns its id. */
  publish(queue: QueueState, fields: Fields): string {
    const flat = Object.entries(fields).flatMap(([name, value]) => [name, String(value)]);
    this.#write();
    this.#insert([[queue, flat]]);
    return toId(queue.events!.last);
  }

  read(queue: QueueState, after: string): [id: string, fields: string[]][] {
    const rows = this.#thread.db.rows<[number, string]>(
      "SELECT n, fields FROM bullmq_event WHERE queue = ? AND n > ? ORDER BY n LIMIT ?",
      [queue.id, fromId(after), READ_LIMIT],
    );
    return rows.map(([n, fields]) => [toId(n), JSON.parse(fields) as string[]]);
  }

  /** Discards the events of a queue that is being removed. */
  forget(queue: QueueState): void {
    this.#pending = this.#pending.filter(([owner]) => owner !== queue);
  }

  /** Id of the last event so far: reading after it returns only later ones. */
  lastId(queue: QueueState): string {
    this.#write();
    return toId(this.#known(queue).last);
  }

  /** Deletes all but the newest events. Returns the number of deleted ones. */
  trim(queue: QueueState, maxLength: number): number {
    this.#write();
    const deleted = this.#thread.db.run(
      "DELETE FROM bullmq_event WHERE queue = ?1 AND n <= " +
        "(SELECT n FROM bullmq_event WHERE queue = ?1 ORDER BY n DESC LIMIT 1 OFFSET ?2)",
      [queue.id, Math.max(0, maxLength)],
    );
    this.#known(queue).count -= deleted;
    return deleted;
  }

  #write(): void {
    if (this.#pending.length === 0) return;
    const pending = this.#pending;
    this.#pending = [];
    this.#insert(pending);
  }

  #insert(events: [QueueState, string[]][]): void {
    const now = Date.now() * PER_MS;
    const rows: [number, number, string[]][] = [];
    const queues = new Set<QueueState>();
    for (const [queue, fields] of events) {
      const known = this.#known(queue);
      known.last = Math.max(known.last + 1, now);
      known.count += 1;
      rows.push([queue.id, known.last, fields]);
      queues.add(queue);
    }
    this.#thread.db.run("INSERT INTO bullmq_event SELECT value ->> 0, value ->> 1, value ->> 2 FROM json_each(?)", [
      JSON.stringify(rows),
    ]);
    for (const queue of queues) {
      this.#thread.notify(EVENTS_TOPIC, queue.name);
      if (this.#known(queue).count > queue.maxEvents + SLACK) this.trim(queue, queue.maxEvents);
    }
  }

  #known(queue: QueueState): { count: number; last: number } {
    queue.events ??= {
      count: this.#thread.db.value<number>("SELECT count(*) FROM bullmq_event WHERE queue = ?", [queue.id]) ?? 0,
      last: this.#thread.db.value<number>("SELECT coalesce(max(n), 0) FROM bullmq_event WHERE queue = ?", [queue.id])!,
    };
    return queue.events;
  }
}

export function eventProcedures(queues: Queues, events: Events) {
  return {
    "bullmq.publishEvent": (name: string, fields: Fields, maxEvents: number) => {
      const queue = queues.get(name);
      const id = events.publish(queue, fields);
      if ((queue.events?.count ?? 0) > maxEvents + SLACK) events.trim(queue, maxEvents);
      return id;
    },
    "bullmq.readEvents": (name: string, after: string) => events.read(queues.get(name), after),
    "bullmq.lastEvent": (name: string) => events.lastId(queues.get(name)),
    "bullmq.trimEvents": (name: string, maxLength: number) => events.trim(queues.get(name), maxLength),
  };
}

function toId(n: number): string {
  return `${Math.floor(n / PER_MS)}-${n % PER_MS}`;
}

function fromId(id: string): number {
  const [ms, position] = id.split("-");
  return Number(ms) * PER_MS + Number(position ?? 0);
}
