/** Ledger of the messages: the outcome of every received message. */
import type { Unmatched } from "./intake.ts";

/** `received` is the sum of `unmatched` and `enqueued`. */
export interface MessageTotals {
  received: number;
  /** Messages that did not become deliveries. */
  unmatched: number;
  /** `unmatched` by reason. */
  unmatchedBy: { noWebhook: number; tooLarge: number; retainedSkipped: number };
  /** Messages that became deliveries, or responses to requests. */
  enqueued: number;
}

export interface MessageLedgerOptions {
  counters: {
    add(group: string, deltas: Record<string, number>): Promise<unknown>;
    read(group: string): Promise<Record<string, number>>;
  };
  onFailed(error: Error): void;
}

type Noted = "enqueued" | Unmatched;

const GROUP = "messages";
/** Delay until noted counts are stored. A crash loses the counts of this time, on both sides of the ledger. */
const WRITE_MS = 1_000;

export class MessageLedger {
  #noted: Record<string, number> = {};
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: MessageLedgerOptions) {}

  /** Counts messages that are being made durable. Await it before acknowledging them. */
  async enqueued(count: number): Promise<void> {
    await this.options.counters.add(GROUP, { received: count, enqueued: count });
  }

  /** Counts a message in memory; the count is stored soon, together with others. */
  note(outcome: Noted): void {
    this.#count("received");
    if (outcome === "enqueued") this.#count("enqueued");
    else {
      this.#count("unmatched");
      if (outcome !== "unmatched") this.#count(outcome);
    }
    this.#timer ??= setTimeout(() => void this.write(), WRITE_MS).unref();
  }

  /** Stores the noted counts; after a failure they are stored with the next ones. Never rejects. */
  async write(): Promise<void> {
    while (this.#writing) await this.#writing;
    clearTimeout(this.#timer);
    this.#timer = undefined;
    const noted = this.#noted;
    if (noted.received === undefined) return;
    this.#noted = {};
    this.#writing = this.options.counters
      .add(GROUP, noted)
      .catch((error: Error) => {
        for (const [field, count] of Object.entries(noted)) this.#count(field, count);
        this.#timer ??= setTimeout(() => void this.write(), WRITE_MS).unref();
        this.options.onFailed(error);
      })
      .then(() => {
        this.#writing = undefined;
      });
    await this.#writing;
  }

  /** Rejects when the store is unavailable. */
  async read(): Promise<MessageTotals> {
    await this.write();
    const counted = await this.options.counters.read(GROUP);
    const { received = 0, unmatched = 0, enqueued = 0, too_large = 0, retained_skipped = 0 } = counted;
    const noWebhook = unmatched - too_large - retained_skipped;
    return {
      ...{ received, unmatched, enqueued },
      unmatchedBy: { noWebhook, tooLarge: too_large, retainedSkipped: retained_skipped },
    };
  }

  async stop(): Promise<void> {
    await this.write();
    clearTimeout(this.#timer);
  }

  #count(field: string, by = 1): void {
    this.#noted[field] = (this.#noted[field] ?? 0) + by;
  }
}
