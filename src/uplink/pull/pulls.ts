/** Pull delivery: consumers take the deliveries of a webhook, and acknowledge or return them. */
import { setTimeout as delay } from "node:timers/promises";
import { Refused } from "../../errors.ts";
import { isCallable, type Webhook } from "../../webhooks/webhook.ts";
import type { Attempted } from "../deliver/attempt.ts";
import type { DeliveryQueue } from "../queue/delivery-queue.ts";
import type { QueuedJob } from "../queue/job.ts";
import type { PulledEnding } from "./ending.ts";
import type { DeliveryLease } from "./lease.ts";
import { acked, nacked } from "./pulled-attempt.ts";
import type { PulledDelivery, TakeOptions, Taker } from "./take.ts";

export interface PullOptions extends TakeOptions {
  waitMs: number;
}

export interface EndedLeases {
  /** Ids of the deliveries that the tokens do not hold. */
  unknown: string[];
  /** Number of the others; a repeated item counts once. */
  ended: number;
}

export interface PullsOptions {
  webhooks: { get(id: string): Webhook | undefined };
  queues: {
    of(webhookId: string): DeliveryQueue;
    onAdded(listener: (webhookId: string) => void): void;
  };
  taker: Pick<Taker, "take" | "retake">;
  ending: Pick<PulledEnding, "attempt">;
}

const MAX_PULLS = 1_000;
const MAX_PULLS_OF_WEBHOOK = 100;
/** A waiting call looks this often for deliveries that another process has added, or that are due. */
const LOOK_MS = 500;
const AT_ONCE = 20;

export class Pulls {
  readonly #running = new Map<string, number>();
  readonly #waiting = new Map<string, Set<() => void>>();
  readonly #stop = new AbortController();
  #count = 0;

  constructor(private readonly options: PullsOptions) {
    options.queues.onAdded((webhookId) => this.#wake(webhookId));
  }

  /** Takes up to `max` deliveries; waits for the first one until `waitMs` has passed or the consumer has gone. */
  pull(webhook: Webhook, options: PullOptions): Promise<PulledDelivery[] | Refused> {
    return this.#limited(webhook, () => this.#pull(webhook, options));
  }

  /** Returns those of an earlier pull's deliveries that are still leased; their leases start again. */
  pullAgain(
    webhook: Webhook,
    leases: readonly DeliveryLease[],
    options: Omit<TakeOptions, "max">,
  ): Promise<PulledDelivery[] | Refused> {
    return this.#limited(webhook, () => this.options.taker.retake(webhook, leases, options));
  }

  /** Ends deliveries as succeeded. */
  ack(webhook: Webhook, leases: readonly DeliveryLease[]): Promise<EndedLeases> {
    return this.#end(webhook, leases, ({ processedOn }, now) => acked({ takenAt: processedOn ?? now }, now));
  }

  /** Returns deliveries to the queue. */
  nack(webhook: Webhook, leases: readonly DeliveryLease[], delayMs: number): Promise<EndedLeases> {
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

  async #limited<T>({ id }: Webhook, work: () => Promise<T>): Promise<T | Refused> {
    const running = this.#running.get(id) ?? 0;
    if (this.#count >= MAX_PULLS || running >= MAX_PULLS_OF_WEBHOOK) {
      return new Refused("rate_limited", "too many calls of this kind are running", { retryAfterSeconds: 1 });
    }
    this.#count++;
    this.#running.set(id, running + 1);
    try {
      return await work();
    } finally {
      this.#count--;
      const left = this.#running.get(id)! - 1;
      if (left > 0) this.#running.set(id, left);
      else this.#running.delete(id);
    }
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
    await this.options.queues.of(webhook.id).leases.recoverExpired();
    return this.options.taker.take(webhook, options);
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
  ): Promise<EndedLeases> {
    const queue = this.options.queues.of(webhook.id);
    const unknown: string[] = [];
    const distinct = [...new Map(leases.map((lease) => [`${lease.messageId} ${lease.leaseToken}`, lease])).values()];
    const endOne = async ({ messageId, leaseToken }: DeliveryLease) => {
      const job = await queue.get(messageId);
      const isEnded = job && (await this.options.ending.attempt(webhook, job, leaseToken, outcomeOf(job, Date.now())));
      if (!isEnded) unknown.push(messageId);
    };
    for (let i = 0; i < distinct.length; i += AT_ONCE) {
      await Promise.all(distinct.slice(i, i + AT_ONCE).map(endOne));
    }
    return { ended: distinct.length - unknown.length, unknown };
  }
}
