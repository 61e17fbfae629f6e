/**
 * The time in which this instance receives: its sessions at the broker, and what it received and has not made durable
 * yet. A new one begins with nothing, and what an earlier one had left unacknowledged the broker sends again.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Enqueuer } from "./enqueuer.ts";
import type { Session } from "./session.ts";
import type { Subscriptions } from "./subscriptions.ts";

const RETRY_MS = 1_000;

export class Receiver<S extends Session> {
  #ended = false;

  constructor(
    readonly subscriptions: Subscriptions<S>,
    readonly enqueuer: Enqueuer,
    /** Reads from the store what is wanted. */
    private readonly catchUp: () => Promise<void>,
    private readonly onError: (error: Error) => void,
  ) {}

  /**
   * Resolves after the first try to open the sessions; tries again as long as the store cannot be read. Catches up
   * first: a registration that is not known here yet would count as gone, and its messages as nobody's.
   */
  async start(): Promise<void> {
    if (this.#ended) return;
    try {
      await this.catchUp();
      if (!this.#ended) await this.subscriptions.start();
    } catch (error) {
      this.onError(error as Error);
      void delay(RETRY_MS, undefined, { ref: false }).then(() => this.start());
    }
  }

  /**
   * What is durable is acknowledged, and what comes from now on is left to the broker. Nothing may become durable while
   * the sessions end, or another instance would receive it again.
   */
  async finish(): Promise<void> {
    this.#ended = true;
    await this.subscriptions.drain();
    await this.enqueuer.finish();
    await this.subscriptions.stop();
  }

  /** Another instance receives: nothing is written or acknowledged any more. */
  async abandon(): Promise<void> {
    this.#ended = true;
    this.enqueuer.stop();
    await this.subscriptions.stop();
  }
}
