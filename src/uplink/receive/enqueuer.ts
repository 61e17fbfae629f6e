/**
 * Makes messages durable in micro-batches: while a flush is under way, the next batch collects. A flush that fails is
 * tried again with the same job ids until it works, since adding an id twice is harmless; meanwhile nothing is
 * acknowledged and the intake fills up to its high-water mark.
 */
import { setTimeout as delay } from "node:timers/promises";
import { type Message, type StoredMessage, toStored } from "../../message.ts";

/** Adds jobs to the queue of one webhook, all or none; rejects when the store is away. */
export type AddJobs = (webhookId: string, jobs: { id: string; data: StoredMessage }[]) => Promise<void>;

export interface EnqueueOptions {
  addJobs: AddJobs;
  /** Writes into the books that these messages become deliveries; rejects when the store is away. */
  book(messages: number): Promise<void>;
  /** A webhook that is gone needs its messages no more. */
  exists(webhookId: string): boolean;
  /** Whether this instance is surely the one that receives; while it is not, flushes wait. */
  mayWrite(): Promise<boolean>;
  onFlushed(deliveries: number, durationMs: number): void;
  /** At each failed try of a flush. */
  onFailed(error: Error): void;
}

interface Item {
  message: Message;
  webhookIds: string[];
  done: () => void;
}

/** A flush is one step of the store: while it takes it, the ends of running deliveries wait. */
const MAX_BATCH = 100;
const MAX_FLUSHES = 2;
const RETRY_MIN_MS = 50;
const RETRY_MAX_MS = 1_000;
const FINISH_MS = 500;

export class Enqueuer {
  #collecting: Item[] = [];
  readonly #flushes = new Set<Promise<void>>();
  #stopped = false;
  /** When the oldest flush that is still under way began; tells a stuck store. */
  readonly #started = new Set<{ at: number }>();

  constructor(private readonly options: EnqueueOptions) {}

  /** `done` is called once every delivery of the message is durable. */
  add(message: Message, webhookIds: string[], done: () => void): void {
    this.#collecting.push({ message, webhookIds, done });
    if (this.#flushes.size < MAX_FLUSHES && this.#collecting.length === 1) setImmediate(() => this.#flushNext());
  }

  /** Milliseconds since the oldest flush under way began, 0 when there is none. */
  get oldestFlushMs(): number {
    const [oldest] = this.#started;
    return oldest === undefined ? 0 : Date.now() - oldest.at;
  }

  /** Flushes are tried no more; what was not durable was not acknowledged, and the broker keeps it. */
  stop(): void {
    this.#stopped = true;
  }

  /** The same, and waits for flushes under way, so that what they write can still be acknowledged; at most 500 ms. */
  async finish(): Promise<void> {
    this.stop();
    await Promise.race([Promise.all(this.#flushes), delay(FINISH_MS)]);
  }

  #flushNext(): void {
    while (this.#flushes.size < MAX_FLUSHES && this.#collecting.length > 0 && !this.#stopped) {
      const flush = this.#flush(this.#collecting.splice(0, MAX_BATCH)).finally(() => {
        this.#flushes.delete(flush);
        this.#flushNext();
      });
      this.#flushes.add(flush);
    }
  }

  async #flush(batch: Item[]): Promise<void> {
    const start = { at: Date.now() };
    this.#started.add(start);
    try {
      let waiting = this.#steps(batch);
      for (let delay = RETRY_MIN_MS; waiting.length > 0; delay = Math.min(delay * 2, RETRY_MAX_MS)) {
        waiting = await this.#tryAll(waiting);
        if (waiting.length === 0) break;
        await new Promise((resolve) => setTimeout(resolve, delay));
        if (this.#stopped) return;
      }
    } finally {
      this.#started.delete(start);
    }
    for (const { done } of batch) done();
    this.options.onFlushed(
      batch.reduce((sum, { webhookIds }) => sum + webhookIds.length, 0),
      Date.now() - start.at,
    );
  }

  /** What a flush consists of: sent at once, so that what is written into the books costs no time of its own. */
  #steps(batch: Item[]): Step[] {
    const { addJobs, book, exists } = this.options;
    const adds = groupByWebhook(batch).map(({ webhookId, jobs }) => async () => {
      if (exists(webhookId)) await addJobs(webhookId, jobs);
    });
    return [...adds, () => book(batch.length)];
  }

  /** Answers the steps that are still to be done. */
  async #tryAll(steps: Step[]): Promise<Step[]> {
    if (!(await this.options.mayWrite()) || this.#stopped) return steps;
    const results = await Promise.allSettled(steps.map((step) => step()));
    return steps.filter((_, i) => {
      const result = results[i]!;
      if (result.status === "rejected") this.options.onFailed(result.reason as Error);
      return result.status === "rejected";
    });
  }
}

type Step = () => Promise<void>;

interface Group {
  webhookId: string;
  jobs: { id: string; data: StoredMessage }[];
}

function groupByWebhook(batch: Item[]): Group[] {
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
