/**
 * One term as the active receiver: its broker sessions and its unflushed messages. Each term starts empty; the broker
 * resends the messages that an earlier term left unacknowledged.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Enqueuer } from "./enqueuer.ts";
import type { Session } from "./session.ts";
import type { Subscriptions } from "./subscriptions.ts";

export interface ReceiverOptions<S extends Session> {
  subscriptions: Subscriptions<S>;
  enqueuer: Enqueuer;
  /** Caches of the destinations. */
  caches: readonly { reload(): Promise<void> }[];
  onError(error: Error): void;
}

const RETRY_MS = 1_000;

export class Receiver<S extends Session> {
  readonly subscriptions: Subscriptions<S>;
  readonly enqueuer: Enqueuer;
  #ended = false;

  constructor(private readonly options: ReceiverOptions<S>) {
    this.subscriptions = options.subscriptions;
    this.enqueuer = options.enqueuer;
  }

  /**
   * Resolves after the first attempt to open the sessions; retries while the store cannot be read. Catches up first: a
   * registration missing in the cache would count as removed, and its messages as unmatched.
   */
  async start(): Promise<void> {
    if (this.#ended) return;
    try {
      await Promise.all(this.options.caches.map((cache) => cache.reload()));
      if (!this.#ended) await this.subscriptions.start();
    } catch (error) {
      this.options.onError(error as Error);
      void delay(RETRY_MS, undefined, { ref: false }).then(() => this.start());
    }
  }

  /**
   * Acknowledges durable messages and leaves later ones to the broker. No message may become durable while the sessions
   * end, or another instance would receive it again.
   */
  async finish(): Promise<void> {
    this.#ended = true;
    await this.subscriptions.drain();
    await this.enqueuer.finish();
    await this.subscriptions.stop();
  }

  /** Ends the term because another instance is the receiver: nothing more is written or acknowledged. */
  async abandon(): Promise<void> {
    this.#ended = true;
    this.enqueuer.stop();
    await this.subscriptions.stop();
  }
}
