/**
 * What is kept of each webhook, by number and age. Looked at soon after something changed and, since time alone makes
 * deliveries too old, once an hour for every webhook. Nothing is left to BullMQ's workers: on PostgreSQL they would sort
 * all finished jobs each time, and the books could not be kept by the steps that remove.
 */
import type { Queue } from "bullmq";
import { discardOldest, discardTooOld } from "./discard.ts";
import { type DeliveryJob, KEEP_FAILED, KEEP_SUCCEEDED } from "./job.ts";

export interface RetentionOptions {
  /** Ids of the webhooks that there are. */
  webhooks(): string[];
  /** Undefined when the webhook is gone. */
  queueOf(webhookId: string): Queue<DeliveryJob> | undefined;
  /** Whether its deliveries wait for each other. */
  isOrdered(webhookId: string): boolean;
  /** Whether this instance alone may look at the webhook now; the function ends that. */
  claim(webhookId: string): Promise<(() => Promise<void>) | undefined>;
  /** Once for each delivery. */
  discarded(webhookId: string, count: number, reason: DiscardReason): void;
  onFailed(error: Error): void;
  /** Waiting deliveries of a webhook, those that wait for another attempt included. */
  maxWaiting: number;
  /** For tests. Milliseconds since the receipt, or since a person had it made again. */
  maxWaitingMs?: number;
  keepSucceeded?: number;
  keepFailed?: number;
  sweepMs?: number;
}

export type DiscardReason = "too_many" | "too_old";

/** 14 days. */
const MAX_WAITING_MS = 14 * 24 * 3_600_000;
const SWEEP_MS = 30_000;
/** So often each webhook is looked at although nothing happened. */
const ROUND_MS = 3_600_000;
/** After so many it is looked at at once: that far may the numbers run over, or 5 % of them. */
const BURST = 500;
/** Dropped at once: what one step may cost others that use the store. */
const STEP = 1_000;

export class Retention {
  readonly #options: Required<RetentionOptions>;
  /** Webhook → what was added or has ended here since it was last looked at. */
  readonly #changes = new Map<string, number>();
  readonly #looking = new Map<string, Promise<void>>();
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

  /** `count` were added, or have ended. */
  changed(webhookId: string, count: number): void {
    const changes = (this.#changes.get(webhookId) ?? 0) + count;
    this.#changes.set(webhookId, changes);
    const { maxWaiting } = this.#options;
    if (changes >= Math.max(1, Math.min(BURST, maxWaiting / 20))) void this.#look(webhookId, false);
  }

  /** It is gone, and its queue closed: what is under way there may never answer. */
  forget(webhookId: string): void {
    this.#changes.delete(webhookId);
    this.#looking.delete(webhookId);
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearInterval(this.#timer);
    await Promise.allSettled(this.#looking.values());
  }

  /** Looks at what changed, and at a share of all. */
  async sweep(): Promise<void> {
    const changed = [...this.#changes.keys()];
    if (this.#round.length === 0) this.#round = this.#options.webhooks();
    const share = Math.ceil((this.#options.webhooks().length * this.#options.sweepMs) / ROUND_MS);
    for (const webhookId of changed) await this.#look(webhookId, false);
    for (const webhookId of this.#round.splice(0, share)) await this.#look(webhookId, true);
  }

  /** One at a time for a webhook; what changes meanwhile is looked at when it ends, if that is much, or next time. */
  #look(webhookId: string, thorough: boolean): Promise<void> {
    const looking = this.#looking.get(webhookId);
    if (looking || this.#stopped) return looking ?? Promise.resolve();
    const begun = this.#lookNow(webhookId, thorough)
      .catch((error: Error) => this.#options.onFailed(error))
      .finally(() => {
        this.#looking.delete(webhookId);
        if (this.#changes.has(webhookId)) this.changed(webhookId, 0);
      });
    this.#looking.set(webhookId, begun);
    return begun;
  }

  async #lookNow(webhookId: string, thorough: boolean): Promise<void> {
    const { queueOf, isOrdered, claim, keepSucceeded, keepFailed } = this.#options;
    const queue = queueOf(webhookId);
    this.#changes.delete(webhookId);
    if (!queue) return;
    const excess = await this.#excess(queue);
    if (excess.waiting <= 0 && excess.completed <= 0 && excess.failed <= 0 && !thorough) return;
    const release = await claim(webhookId);
    if (!release) return; // another instance is at it
    try {
      if (excess.completed > 0) await queue.clean(0, excess.completed, "completed");
      if (excess.failed > 0) await queue.clean(0, excess.failed, "failed");
      if (thorough) {
        await queue.clean(KEEP_SUCCEEDED.age * 1_000, keepSucceeded, "completed");
        await queue.clean(KEEP_FAILED.age * 1_000, keepFailed, "failed");
        await this.#drop(webhookId, "too_old", () =>
          discardTooOld(queue, Date.now() - this.#options.maxWaitingMs, STEP, isOrdered(webhookId)),
        );
      }
      // Counted again: before the claim another instance may have dropped the same.
      await this.#drop(webhookId, "too_many", async () => {
        const { waiting } = await this.#excess(queue);
        return waiting > 0 ? discardOldest(queue, Math.min(waiting, STEP), isOrdered(webhookId)) : 0;
      });
    } finally {
      await release();
    }
  }

  /** Again and again until there is nothing to drop. */
  async #drop(webhookId: string, reason: DiscardReason, step: () => Promise<number>): Promise<void> {
    while (!this.#stopped) {
      const count = await step();
      if (count === 0) return;
      this.#options.discarded(webhookId, count, reason);
    }
  }

  async #excess(queue: Queue): Promise<Record<"waiting" | "completed" | "failed", number>> {
    const { maxWaiting, keepSucceeded, keepFailed } = this.#options;
    const counts = await queue.getJobCounts("waiting", "delayed", "completed", "failed");
    const { waiting = 0, delayed = 0, completed = 0, failed = 0 } = counts;
    return {
      waiting: waiting + delayed - maxWaiting,
      completed: completed - keepSucceeded,
      failed: failed - keepFailed,
    };
  }
}
