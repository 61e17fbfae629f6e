/** The books: what became of every message that was received, and of every delivery that was made durable. */

import type { DeliveryTotals } from "../queue/delivery-queues.ts";
import type { IntakeOutcome } from "./intake.ts";

/** `received` is the sum of the other two. */
export interface MessageTotals {
  received: number;
  /** Not made into deliveries. */
  unmatched: number;
  /** Of `unmatched`, why. */
  unmatchedBy: { noWebhook: number; tooLarge: number; retainedSkipped: number };
  /** Made into deliveries, or into answers of requests. */
  enqueued: number;
}

export interface Books {
  messages: MessageTotals;
  deliveries: DeliveryTotals;
}

export interface MessageLedgerOptions {
  counters: {
    add(group: string, deltas: Record<string, number>): Promise<unknown>;
    read(group: string): Promise<Record<string, number>>;
  };
  onFailed(error: Error): void;
}

type Noted = Exclude<IntakeOutcome, "other_copy">;

const GROUP = "messages";
/** Until what was noted is written down: what a crash may leave out of the books, on both sides. */
const WRITE_MS = 1_000;

export class MessageLedger {
  #noted: Record<string, number> = {};
  #writing: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;

  constructor(private readonly options: MessageLedgerOptions) {}

  /** Messages that are being made durable; to be awaited before they are acknowledged. */
  async enqueued(count: number): Promise<void> {
    await this.options.counters.add(GROUP, { received: count, enqueued: count });
  }

  /** Written down soon, with others. */
  note(outcome: Noted): void {
    this.#count("received");
    if (outcome === "enqueued") this.#count("enqueued");
    else {
      this.#count("unmatched");
      if (outcome !== "unmatched") this.#count(outcome);
    }
    this.#timer ??= setTimeout(() => void this.write(), WRITE_MS).unref();
  }

  /** Writes down what was noted; what fails is tried again with what comes next. Never rejects. */
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

  /** Rejects when the store is away. */
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
