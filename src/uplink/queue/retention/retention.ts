/**
 * Retention of each webhook's deliveries, by number and age. Runs soon after a change and, since deliveries age without
 * one, once an hour for every webhook. BullMQ's workers remove nothing: their removal steps
 * could not update the ledgers.
 */
import type { DeliveryQueue } from "../delivery-queue.ts";
import { KEEP_FAILED, KEEP_SUCCEEDED } from "../job.ts";
import { discardOldest, discardTooOld } from "./discard.ts";

export interface RetentionOptions {
  /** Ids of all webhooks. */
  webhooks(): string[];
  /** Undefined when the webhook has been removed. */
  queueOf(webhookId: string): DeliveryQueue | undefined;
  /** Whether the webhook's deliveries wait for their predecessors. */
  isOrdered(webhookId: string): boolean;
  /** Acquires the webhook for this instance alone; the function releases it. Undefined when another instance has it. */
  acquire(webhookId: string): Promise<(() => Promise<void>) | undefined>;
  /** Reports each discarded delivery once. */
  discarded(webhookId: string, count: number, reason: DiscardReason): void;
  onFailed(error: Error): void;
  /** Most waiting deliveries of a webhook, including those that wait for another attempt. */
  maxWaiting: number;
  /** For tests. Milliseconds since the receipt, or since the last redelivery by a user. */
  maxWaitingMs?: number;
  keepSucceeded?: number;
  keepFailed?: number;
  sweepMs?: number;
}

export type DiscardReason = "too_many" | "too_old";

/** 14 days. */
const MAX_WAITING_MS = 14 * 24 * 3_600_000;
const SWEEP_MS = 30_000;
/** Interval of the checks of each webhook without changes. */
const ROUND_MS = 3_600_000;
/**
 * Changes that trigger an immediate check, or 5 % of the limit if that is less: the limits may be exceeded by as many.
 */
const BURST = 500;
/** Deliveries discarded in one step, which limits the delay for other users of the store. */
const STEP = 1_000;

export class Retention {
  readonly #options: Required<RetentionOptions>;
  /** Deliveries added or ended here since the last check, by webhook. */
  readonly #changes = new Map<string, number>();
  readonly #checks = new Map<string, Promise<void>>();
  #timer: NodeJS.Timeout | undefined;
  #round: string[] = [];
  #stopped = false;

  constructor(options: RetentionOptions) {
    this.#options = {
      maxWaitingMs: MAX_WAITING_MS,
      keepSucceeded: KEEP_SUCCEEDED.count,
      keepFailed: KEEP_FAILED.count,
      sweepMs: SWEEP_MS,
      ...options,
    };
  }

  start(): void {
    this.#timer = setInterval(() => void this.sweep(), this.#options.sweepMs).unref();
  }

  /** Call when `count` deliveries were added or have ended. */
  changed(webhookId: string, count: number): void {
    const changes = (this.#changes.get(webhookId) ?? 0) + count;
    this.#changes.set(webhookId, changes);
    const { maxWaiting } = this.#options;
    if (changes >= Math.max(1, Math.min(BURST, maxWaiting / 20))) void this.#check(webhookId, false);
  }

  /** Forgets a removed webhook. Its queue is closed, so a check in progress may never settle. */
  forget(webhookId: string): void {
    this.#changes.delete(webhookId);
    this.#checks.delete(webhookId);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await Promise.allSettled(this.#checks.values());
  }

  /** Checks the changed webhooks, and a share of all webhooks. */
  async sweep(): Promise<void> {
    const changed = [...this.#changes.keys()];
    if (this.#round.length === 0) this.#round = this.#options.webhooks();
    const share = Math.ceil((this.#options.webhooks().length * this.#options.sweepMs) / ROUND_MS);
    for (const webhookId of changed) await this.#check(webhookId, false);
    for (const webhookId of this.#round.splice(0, share)) await this.#check(webhookId, true);
  }

  /**
   * Runs one check at a time per webhook. Changes during a check lead to another one at its end if they are many, or
   * else at the next sweep.
   */
  #check(webhookId: string, thorough: boolean): Promise<void> {
    const running = this.#checks.get(webhookId);
    if (running || this.#stopped) return running ?? Promise.resolve();
    const begun = this.#checkNow(webhookId, thorough)
      .catch((error: Error) => this.#options.onFailed(error))
      .finally(() => {
        this.#checks.delete(webhookId);
        if (this.#changes.has(webhookId)) this.changed(webhookId, 0);
      });
    this.#checks.set(webhookId, begun);
    return begun;
  }

  async #checkNow(webhookId: string, thorough: boolean): Promise<void> {
    const { queueOf, isOrdered, acquire, keepSucceeded, keepFailed } = this.#options;
    const queue = queueOf(webhookId);
    this.#changes.delete(webhookId);
    if (!queue) return;
    const excess = await this.#excess(queue);
    if (excess.waiting <= 0 && excess.completed <= 0 && excess.failed <= 0 && !thorough) return;
    const release = await acquire(webhookId);
    if (!release) return; // another instance checks it
    try {
      if (excess.completed > 0) await queue.removeEnded("completed", excess.completed);
      if (excess.failed > 0) await queue.removeEnded("failed", excess.failed);
      if (thorough) {
        await queue.removeEnded("completed", keepSucceeded, KEEP_SUCCEEDED.age * 1_000);
        await queue.removeEnded("failed", keepFailed, KEEP_FAILED.age * 1_000);
        await this.#drop(webhookId, "too_old", () =>
          discardTooOld(queue, Date.now() - this.#options.maxWaitingMs, STEP, isOrdered(webhookId)),
        );
      }
      // Counted again: another instance may have discarded the same deliveries before `acquire`.
      await this.#drop(webhookId, "too_many", async () => {
        const { waiting } = await this.#excess(queue);
        return waiting > 0 ? discardOldest(queue, Math.min(waiting, STEP), isOrdered(webhookId)) : 0;
      });
    } finally {
      await release();
    }
  }

  /** Repeats the step until there is nothing to discard. */
  async #drop(webhookId: string, reason: DiscardReason, step: () => Promise<number>): Promise<void> {
    while (!this.#stopped) {
      const count = await step();
      if (count === 0) return;
      this.#options.discarded(webhookId, count, reason);
    }
  }

  async #excess(queue: DeliveryQueue): Promise<Record<"waiting" | "completed" | "failed", number>> {
    const { maxWaiting, keepSucceeded, keepFailed } = this.#options;
    const { waiting, delayed, completed, failed } = await queue.counts();
    return {
      waiting: waiting + delayed - maxWaiting,
      completed: completed - keepSucceeded,
      failed: failed - keepFailed,
    };
  }
}
