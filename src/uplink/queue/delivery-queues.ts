/** The queues of the webhooks: opened when they are first needed, closed when the webhook is gone, dropped once. */
import type { Queue } from "bullmq";
import { type DeliveryJob, JOB_OPTIONS, type PlacedJob, queueName, webhookOfQueue } from "./job.ts";

export interface DeliveryQueuesOptions {
  openQueue(name: string): Queue<DeliveryJob>;
  /** Numbers that last, in groups named `webhook-<id>`. */
  counters: {
    add(group: string, deltas: Record<string, number>): Promise<Record<string, number>>;
    remove(group: string): Promise<void>;
  };
  /** What became of deliveries, by the names of queues; see the store's `Books`. */
  ledgers: {
    of(queue: string): Promise<DeliveryTotals>;
    queues(): Promise<string[]>;
    close(queue: string): Promise<boolean>;
  };
}

export class DeliveryQueues {
  readonly #open = new Map<string, Queue<DeliveryJob>>();

  constructor(private readonly options: DeliveryQueuesOptions) {}

  of(webhookId: string): Queue<DeliveryJob> {
    const known = this.#open.get(webhookId);
    if (known) return known;
    const queue = this.options.openQueue(queueName(webhookId));
    this.#open.set(webhookId, queue);
    return queue;
  }

  /** All or none; an id that is there already is left as it is. Rejects when the store is away. */
  async add(webhookId: string, jobs: readonly PlacedJob[]): Promise<void> {
    await this.of(webhookId).addBulk(
      jobs.map(({ id, data, delay }) => ({
        name: "message",
        data,
        opts: { ...JOB_OPTIONS, jobId: id, ...(delay && { delay }) },
      })),
    );
  }

  /** Whether there is a delivery with this id, in whatever state. */
  async isThere(webhookId: string, id: string): Promise<boolean> {
    return (await this.of(webhookId).getJobState(id)) !== "unknown";
  }

  /** Adds to the number of ordered deliveries of a webhook and answers the new number. */
  async count(webhookId: string, deliveries: number): Promise<number> {
    return (await this.options.counters.add(countersOf(webhookId), { sequence: deliveries })).sequence!;
  }

  ledgerOf(webhookId: string): Promise<DeliveryTotals> {
    return this.options.ledgers.of(queueName(webhookId));
  }

  /** Ids of the webhooks that have a queue, also of those that are gone. */
  async webhooks(): Promise<string[]> {
    return (await this.options.ledgers.queues()).map(webhookOfQueue);
  }

  /** Drops everything that waits for a webhook that is gone. Rejects when the store is away. */
  async drop(webhookId: string): Promise<void> {
    const name = queueName(webhookId);
    const queue = this.options.openQueue(name);
    try {
      // Again where somebody who had not heard of its end yet added something meanwhile.
      do await queue.obliterate({ force: true });
      while (!(await this.options.ledgers.close(name)));
      await this.options.counters.remove(countersOf(webhookId));
      await queue.removeRateLimitKey();
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

/** Group of the counters of a webhook. */
function countersOf(webhookId: string): string {
  return `webhook-${webhookId}`;
}

/** `enqueued` is the sum of the others. */
export interface DeliveryTotals {
  enqueued: number;
  succeeded: number;
  failed: number;
  waiting: number;
  discarded: number;
}
