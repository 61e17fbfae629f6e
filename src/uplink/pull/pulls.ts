/** Pull delivery: consumers take the deliveries of a webhook, and acknowledge or return them. */
import { setTimeout as delay } from "node:timers/promises";
import { LRUCache } from "lru-cache";
import { Refused } from "../../errors.ts";
import { isCallable, type Webhook } from "../../webhooks/webhook.ts";
import type { Attempted } from "../deliver/attempt.ts";
import type { DeliveryQueue } from "../queue/delivery-queue.ts";
import type { QueuedJob } from "../queue/job.ts";
import type { PulledEnding } from "./ending.ts";
import { acked, nacked } from "./pulled-attempt.ts";
import type { PulledDelivery, Take, TakeOptions } from "./take.ts";

export interface DeliveryLease {
  messageId: string;
  leaseToken: string;
}

export interface PullOptions extends TakeOptions {
  waitMs: number;
}

export interface PullsOptions {
  webhooks: { get(id: string): Webhook | undefined };
  queues: {
    of(webhookId: string): DeliveryQueue;
    onAdded(listener: (webhookId: string) => void): void;
  };
  take: Take;
  ending: Pick<PulledEnding, "attempt">;
}

const MAX_PULLS = 1_000;
const MAX_PULLS_OF_WEBHOOK = 100;
/** A waiting call looks this often for deliveries that another process has added, or that are due. */
const LOOK_MS = 500;
/** Interval at which a process looks for expired leases of a webhook, while it is pulled. */
const EXPIRED_MS = 500;
const AT_ONCE = 20;

export class Pulls {
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #checked = new LRUCache<string, true>({ max: 10_000, ttl: EXPIRED_MS });
  readonly #stop = new AbortController();
  #count = 0;

  constructor(private readonly options: PullsOptions) {
    options.queues.onAdded((webhookId) => this.#wake(webhookId));
  }

  /** Takes up to `max` deliveries; waits for the first one until `waitMs` has passed or the consumer has gone. */
  async pull(webhook: Webhook, options: PullOptions): Promise<PulledDelivery[] | Refused> {
    const { id } = webhook;
    const running = this.#running.get(id) ?? 0;
    if (this.#count >= MAX_PULLS || running >= MAX_PULLS_OF_WEBHOOK) {
      return new Refused("rate_limited", "too many calls of this kind are running", { retryAfterSeconds: 1 });
    }
    this.#count++;
    this.#running.set(id, running + 1);
    try {
      return await this.#pull(webhook, options);
    } finally {
      this.#count--;
      const left = this.#running.get(id)! - 1;
      if (left > 0) this.#running.set(id, left);
      else this.#running.delete(id);
    }
  }

  /** Ends deliveries as succeeded. @returns the ids of those that the tokens do not hold */
  ack(webhook: Webhook, leases: readonly DeliveryLease[]): Promise<string[]> {
    return this.#end(webhook, leases, ({ processedOn }, now) => acked({ takenAt: processedOn ?? now }, now));
  }

  /** Returns deliveries to the queue. @returns the ids of those that the tokens do not hold */
  nack(webhook: Webhook, leases: readonly DeliveryLease[], delayMs: number): Promise<string[]> {
    const retries = webhook.retry.scheduleSeconds.length;
    return this.#end(webhook, leases, ({ attemptsMade, processedOn }, now) =>
      nacked({ attemptsMade, retries, takenAt: processedOn ?? now }, delayMs, now),
    );
  }

  /** Ends all waits: the calls return what they have. */
  stop(): void {
    this.#stop.abort();
    for (const id of this.#waiting.keys()) this.#wake(id);
  }

  async #pull(webhook: Webhook, { waitMs, ...options }: PullOptions): Promise<PulledDelivery[]> {
    const { id } = webhook;
    const { signal } = options;
    const endsAt = Date.now() + waitMs;
    let current: Webhook | undefined = webhook;
    for (;;) {
      let isAdded = false;
      const wait = this.#onAdded(id, signal, () => (isAdded = true));
      try {
        const items: PulledDelivery[] = isCallable(current) ? await this.#take(current, options) : [];
        if (signal.aborted) {
          // In reverse, since each goes to the head of the queue.
          for (const item of items.reverse()) await item.release().catch(() => undefined);
          return [];
        }
        const leftMs = endsAt - Date.now();
        if (items.length > 0 || leftMs <= 0 || this.#stop.signal.aborted) return items;
        if (!isAdded) await wait.during(Math.min(leftMs, LOOK_MS));
      } finally {
        wait.end();
      }
      current = this.options.webhooks.get(id);
      if (!current) return [];
    }
  }

  async #take(webhook: Webhook, options: TakeOptions): Promise<PulledDelivery[]> {
    if (!this.#checked.has(webhook.id)) {
      this.#checked.set(webhook.id, true);
      await this.options.queues.of(webhook.id).leases.recoverExpired();
    }
    return this.options.take(webhook, options);
  }

  /** Begins to listen for added deliveries before the queue is looked at, so that none is missed in between. */
  #onAdded(webhookId: string, signal: AbortSignal, notify: () => void) {
    const woken = new AbortController();
    const wake = () => {
      notify();
      woken.abort();
    };
    const wakers = this.#waiting.get(webhookId) ?? new Set();
    this.#waiting.set(webhookId, wakers.add(wake));
    signal.addEventListener("abort", wake);
    return {
      during: (ms: number) => delay(ms, undefined, { signal: woken.signal }).catch(() => undefined),
      end: () => {
        signal.removeEventListener("abort", wake);
        wakers.delete(wake);
        if (wakers.size === 0 && this.#waiting.get(webhookId) === wakers) this.#waiting.delete(webhookId);
      },
    };
  }

  #wake(webhookId: string): void {
    for (const wake of this.#waiting.get(webhookId) ?? []) wake();
  }

  async #end(
    webhook: Webhook,
    leases: readonly DeliveryLease[],
    outcomeOf: (job: QueuedJob, now: number) => Attempted,
  ): Promise<string[]> {
    const queue = this.options.queues.of(webhook.id);
    const unknown: string[] = [];
    const endOne = async ({ messageId, leaseToken }: DeliveryLease) => {
      const job = await queue.get(messageId);
      const isEnded = job && (await this.options.ending.attempt(webhook, job, leaseToken, outcomeOf(job, Date.now())));
      if (!isEnded) unknown.push(messageId);
    };
    for (let i = 0; i < leases.length; i += AT_ONCE) {
      await Promise.all(leases.slice(i, i + AT_ONCE).map(endOne));
    }
    return unknown;
  }
}
