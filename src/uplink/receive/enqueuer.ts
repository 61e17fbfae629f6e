/**
 * Makes messages durable in micro-batches: messages that arrive during a flush form the next batch. A failed flush is
 * retried with the same job ids until it succeeds; adding an id twice is harmless. Until then no message of the batch
 * is acknowledged, and the intake fills up to its high-water mark.
 */
import { withDeadline } from "../../lib/deadline.ts";
import { AGAIN, retryForever } from "../../lib/retry-forever.ts";
import { type Message, type StoredMessage, toStored } from "../../message.ts";

export interface EnqueuerOptions {
  /** Adds jobs to the queue of one destination, all or none. Rejects when the store is unavailable. */
  deliveries: { add(webhookId: string, jobs: { id: string; data: StoredMessage }[]): Promise<void> };
  /** Counts the messages as enqueued. Rejects when the store is unavailable. */
  ledger: { enqueued(messages: number): Promise<void> };
  /** Messages for a removed webhook are dropped. */
  destinations: { has(id: string): boolean };
  /** Remembers what later messages need to be decoded. */
  births: {
    note(message: Message, webhookIds: readonly string[]): void;
    /** Resolves when everything noted is durable. Rejects when the store is unavailable. */
    written(): Promise<void> | undefined;
  };
  /** Confirms that this instance is the receiver. Flushes wait until it is. */
  lease: { confirm(): Promise<boolean> };
  observe: {
    flushed(durationMs: number): void;
    /** Called for each failed step of a flush, at every attempt. */
    partFailed(part: "enqueue", error: Error): void;
  };
}

interface PendingMessage {
  message: Message;
  webhookIds: string[];
  done: () => void;
}

/** Limits a flush: the store adds a batch in one step, during which running deliveries cannot complete. */
const MAX_BATCH = 100;
const MAX_FLUSHES = 2;
const BACKOFF = { firstMs: 50, maxMs: 1_000 };
const FINISH_MS = 500;

export class Enqueuer {
  #collecting: PendingMessage[] = [];
  readonly #flushes = new Set<Promise<void>>();
  readonly #stop = new AbortController();
  /** Start times of the flushes in progress, oldest first; an old one reveals a stuck store. */
  readonly #started = new Set<{ at: number }>();

  constructor(private readonly options: EnqueuerOptions) {}

  /** Adds a message to the next flush. `done` is called once every delivery of the message is durable. */
  add(message: Message, webhookIds: string[], done: () => void): void {
    this.options.births.note(message, webhookIds);
    this.#collecting.push({ message, webhookIds, done });
    if (this.#flushes.size < MAX_FLUSHES && this.#collecting.length === 1) setImmediate(() => this.#flushNext());
  }

  /** Milliseconds since the oldest flush in progress began; 0 when there is none. */
  get oldestFlushMs(): number {
    const [oldest] = this.#started;
    return oldest === undefined ? 0 : Date.now() - oldest.at;
  }

  /** Stops flushes and their retries. Messages that are not durable are unacknowledged, so the broker keeps them. */
  stop(): void {
    this.#stop.abort();
  }

  /** Stops, and waits up to 500 ms for flushes in progress, so that their messages can still be acknowledged. */
  async finish(): Promise<void> {
    this.stop();
    const late = () => new Error("the store has not answered");
    await withDeadline(Promise.all(this.#flushes), FINISH_MS, late).catch(() => undefined);
  }

  #flushNext(): void {
    while (this.#flushes.size < MAX_FLUSHES && this.#collecting.length > 0 && !this.#stop.signal.aborted) {
      const flush = this.#flush(this.#collecting.splice(0, MAX_BATCH)).finally(() => {
        this.#flushes.delete(flush);
        this.#flushNext();
      });
      this.#flushes.add(flush);
    }
  }

  async #flush(batch: PendingMessage[]): Promise<void> {
    const start = { at: Date.now() };
    this.#started.add(start);
    let waiting = this.#steps(batch);
    const attempt = async () => {
      waiting = await this.#tryAll(waiting);
      return waiting.length === 0 || AGAIN;
    };
    try {
      await retryForever(attempt, { backoff: BACKOFF, signal: this.#stop.signal });
    } catch {
      return; // stopped
    } finally {
      this.#started.delete(start);
    }
    for (const { done } of batch) done();
    this.options.observe.flushed(Date.now() - start.at);
  }

  /** Steps of a flush. They run concurrently, so the ledger adds no latency. */
  #steps(batch: PendingMessage[]): FlushStep[] {
    const { deliveries, ledger, destinations } = this.options;
    const adds = groupByWebhook(batch).map(({ webhookId, jobs }) => async () => {
      if (destinations.has(webhookId)) await deliveries.add(webhookId, jobs);
    });
    return [...adds, () => ledger.enqueued(batch.length)];
  }

  /** Runs the steps. @returns the steps that must be retried */
  async #tryAll(steps: FlushStep[]): Promise<FlushStep[]> {
    if (!(await this.options.lease.confirm()) || this.#stop.signal.aborted) return steps;
    // Before the deliveries: one may be made as soon as it is stored.
    const [written] = await Promise.allSettled([this.options.births.written()]);
    if (written.status === "rejected") {
      this.options.observe.partFailed("enqueue", written.reason as Error);
      return steps;
    }
    const results = await Promise.allSettled(steps.map((step) => step()));
    return steps.filter((_, i) => {
      const result = results[i]!;
      if (result.status === "rejected") this.options.observe.partFailed("enqueue", result.reason as Error);
      return result.status === "rejected";
    });
  }
}

type FlushStep = () => Promise<void>;

interface Group {
  webhookId: string;
  jobs: { id: string; data: StoredMessage }[];
}

function groupByWebhook(batch: PendingMessage[]): Group[] {
  const groups = new Map<string, Group>();
  for (const { message, webhookIds } of batch) {
    const job = { id: message.id, data: toStored(message) };
    for (const webhookId of webhookIds) {
      const group = groups.get(webhookId);
      if (group) group.jobs.push(job);
      else groups.set(webhookId, { webhookId, jobs: [job] });
    }
  }
  return [...groups.values()];
}
