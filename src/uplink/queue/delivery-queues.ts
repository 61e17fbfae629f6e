/** Queues of the webhooks: opened on first use, closed when the webhook is removed, dropped once. */
import type { Queue } from "bullmq";
import { DeliveryQueue } from "./delivery-queue.ts";
import { type DeliveryJob, type PlacedJob, queueName, webhookOfQueue } from "./job.ts";
import type { ListIndex } from "./lists/newest-first.ts";

export interface DeliveryQueuesOptions {
  openQueue(name: string): Queue<DeliveryJob>;
  /** Durable counters, in groups named `webhook-<id>`. */
  counters: {
    add(group: string, deltas: Record<string, number>): Promise<Record<string, number>>;
    remove(group: string): Promise<void>;
  };
  /** Ledgers of deliveries, by queue name; see the store's `Ledgers`. */
  ledgers: {
    of(queue: string): Promise<DeliveryTotals>;
    queues(): Promise<string[]>;
    close(queue: string): Promise<boolean>;
  };
  index: ListIndex;
}

export class DeliveryQueues {
  readonly #open = new Map<string, DeliveryQueue>();
  readonly #listeners: ((webhookId: string, count: number) => void)[] = [];

  constructor(private readonly options: DeliveryQueuesOptions) {}

  get index(): ListIndex {
    return this.options.index;
  }

  of(webhookId: string): DeliveryQueue {
    const known = this.#open.get(webhookId);
    if (known) return known;
    const queue = new DeliveryQueue(this.options.openQueue(queueName(webhookId)));
    this.#open.set(webhookId, queue);
    return queue;
  }

  /** Adds all jobs or none; an existing id is left unchanged. Rejects when the store is unavailable. */
  async add(webhookId: string, jobs: readonly PlacedJob[]): Promise<void> {
    await this.of(webhookId).add(jobs);
    for (const listener of this.#listeners) listener(webhookId, jobs.length);
  }

  /** Calls `listener` after deliveries were added. */
  onAdded(listener: (webhookId: string, count: number) => void): void {
    this.#listeners.push(listener);
  }

  /** Whether a delivery with this id exists, in any state. */
  async isThere(webhookId: string, id: string): Promise<boolean> {
    return (await this.of(webhookId).stateOf(id)) !== "gone";
  }

  /** Adds to the number of ordered deliveries of a webhook and returns the new number. */
  async count(webhookId: string, deliveries: number): Promise<number> {
    return (await this.options.counters.add(countersOf(webhookId), { sequence: deliveries })).sequence!;
  }

  ledgerOf(webhookId: string): Promise<DeliveryTotals> {
    return this.options.ledgers.of(queueName(webhookId));
  }

  /** Ids of the webhooks that have a queue, including removed webhooks. */
  async webhooks(): Promise<string[]> {
    return (await this.options.ledgers.queues()).map(webhookOfQueue);
  }

  /** Drops all jobs of a removed webhook. Rejects when the store is unavailable. */
  async drop(webhookId: string): Promise<void> {
    const name = queueName(webhookId);
    const queue = new DeliveryQueue(this.options.openQueue(name));
    try {
      // Repeats if an instance unaware of the removal has added jobs meanwhile.
      do await queue.obliterate();
      while (!(await this.options.ledgers.close(name)));
      await this.options.counters.remove(countersOf(webhookId));
      await queue.removeLimiter();
    } finally {
      await queue.close().catch(() => undefined);
    }
  }

  async close(webhookId: string): Promise<void> {
    const queue = this.#open.get(webhookId);
    this.#open.delete(webhookId);
    await queue?.close().catch(() => undefined);
  }

  async closeAll(): Promise<void> {
    await Promise.allSettled([...this.#open.values()].map((queue) => queue.close()));
  }
}

/** Counter group of a webhook. */
function countersOf(webhookId: string): string {
  return `webhook-${webhookId}`;
}

/** `enqueued` is the sum of the other counts. */
export interface DeliveryTotals {
  enqueued: number;
  succeeded: number;
  failed: number;
  waiting: number;
  discarded: number;
}
