/** One worker per callable webhook with a URL, opened and closed as registrations change. */
import { setTimeout as delay } from "node:timers/promises";
import type { Worker } from "bullmq";
import { isCallable, isPull, type Webhook } from "../../webhooks/webhook.ts";
import type { EndpointHealth } from "../health/endpoint-health.ts";
import { isOrdered } from "../ordering/message-groups.ts";
import { PredecessorGate } from "../ordering/predecessor-gate.ts";
import { type DeliveryQueue, limiterOf } from "../queue/delivery-queue.ts";
import { type QueuedJob, queueName } from "../queue/job.ts";
import { Batches, jobsAtOnce } from "./batching.ts";
import { createDeliver, type DeliverPorts } from "./deliver.ts";
import { backoff } from "./job-outcome.ts";

type Processor = (job: QueuedJob, token?: string) => Promise<unknown>;

export interface WorkersOptions {
  webhooks: { all(): Webhook[]; get(id: string): Webhook | undefined };
  queues: { of(webhookId: string): DeliveryQueue };
  openWorker(name: string, processor: Processor, options: object): Worker;
  health: Pick<EndpointHealth, "isOpen">;
  deliver: DeliverPorts;
  retention: {
    /** Called when deliveries have succeeded or become dead letters. */
    changed(webhookId: string, count: number): void;
  };
  /** Group tails, which a delivery deletes if they still hold this value. */
  tails: { releaseIf(key: string, value: string): Promise<void> };
  /**
   * Decides whether this instance runs the workers of ordered webhooks. Several instances keep the order too, but
   * often have to check the running jobs of the others.
   */
  ordered: { mayRun(): boolean; onChange(listener: () => void): void };
}

/**
 * A worker that dies leaves its jobs locked for LOCK_MS; the next stalled-job check of another worker recovers them.
 * A worker renews the lock while a call runs.
 */
const LOCK_MS = 15_000;
const STALLED_CHECK_MS = 10_000;
/** Longest local wait when the store does not save a pause: the delivery must not lose an attempt. */
const NOT_WRITTEN_MS = 1_000;
/** Longest time until a paused worker notices that the pause was ended. */
const LONGEST_NAP_MS = 5_000;

export class Workers {
  readonly #workers = new Map<string, Worker>();
  readonly #batches = new Map<string, Batches>();
  readonly #closing = new Set<Promise<unknown>>();
  #stopped = false;

  constructor(private readonly options: WorkersOptions) {
    options.ordered.onChange(() => this.refresh());
  }

  /** Starts, stops and adjusts the workers after registrations changed. */
  refresh(changed?: ReadonlySet<string>): void {
    if (this.#stopped) return;
    const ids = changed ?? new Set([...this.#workers.keys(), ...this.options.webhooks.all().map(({ id }) => id)]);
    for (const id of ids) {
      const webhook = this.options.webhooks.get(id);
      const worker = this.#workers.get(id);
      const runs =
        webhook && isCallable(webhook) && !isPull(webhook) && (!isOrdered(webhook) || this.options.ordered.mayRun());
      if (runs && !worker) this.#workers.set(id, this.#open(webhook));
      else if (runs && worker) this.#adjust(worker, webhook);
      else if (worker) this.#close(id, worker);
    }
  }

  get size(): number {
    return this.#workers.size;
  }

  /** Takes no more jobs, and waits for running calls however long they take. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const [id, worker] of this.#workers) this.#close(id, worker);
    await Promise.allSettled(this.#closing);
  }

  #open(webhook: Webhook): Worker {
    const { webhooks, queues, deliver, retention, tails } = this.options;
    const { id } = webhook;
    const current = () => webhooks.get(id);
    const batches = new Batches({
      send: deliver.call.send,
      eventSource: deliver.call.eventSource,
      brake: (on) => {
        worker.concurrency = on ? 1 : this.#concurrency(current() ?? webhook);
      },
    });
    this.#batches.set(id, batches);
    const ordered = new PredecessorGate({
      deliver: createDeliver(id, deliver, batches.call),
      queue: () => queues.of(id),
      isOrdered: () => isOrdered(current()),
      release: ({ key, value }) => tails.releaseIf(key, value),
    });
    const queue = queues.of(id);
    const endpoint = {
      pause: onceAtATime((ms: number) =>
        queue
          .pause(ms, current()?.rateLimit)
          .catch(() => delay(Math.min(ms, NOT_WRITTEN_MS), undefined, { ref: false })),
      ),
    };
    const worker = this.options.openWorker(queueName(id), (job, token) => ordered.deliver(job, token, endpoint), {
      concurrency: this.#concurrency(webhook),
      limiter: limiterOf(webhook.rateLimit),
      maximumRateLimitDelay: LONGEST_NAP_MS,
      lockDuration: LOCK_MS,
      stalledInterval: STALLED_CHECK_MS,
      // A job may stall as often as processes die: giving up would lose it.
      maxStalledCount: 1_000_000,
      settings: { backoffStrategy: backoff },
    });
    worker.on("completed", (job) => {
      ordered.settled(job);
      retention.changed(id, 1);
    });
    worker.on("failed", (job) => {
      if (!job) return;
      ordered.settled(job);
      if (job.finishedOn) retention.changed(id, 1);
    });
    worker.on("closing", () => ordered.stop());
    return worker;
  }

  /** BullMQ reads both values for each job that it takes: no worker is reopened, and no call is interrupted. */
  #adjust(worker: Worker, webhook: Webhook): void {
    worker.concurrency = this.#concurrency(webhook);
    worker.opts.limiter = limiterOf(webhook.rateLimit);
  }

  /** Limits an open breaker to one job: all but the probe would be taken in vain. */
  #concurrency(webhook: Webhook): number {
    return this.options.health.isOpen(webhook.id) ? 1 : jobsAtOnce(webhook);
  }

  #close(id: string, worker: Worker): void {
    this.#workers.delete(id);
    this.#batches.get(id)?.drain();
    this.#batches.delete(id);
    const closing = worker.close().catch(() => undefined);
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }
}

/** Shares a running call with concurrent callers: all jobs of a batch request the same pause. */
function onceAtATime<A extends unknown[]>(run: (...args: A) => Promise<void>): (...args: A) => Promise<void> {
  let running: Promise<void> | undefined;
  return (...args) => {
    running ??= run(...args).finally(() => {
      running = undefined;
    });
    return running;
  };
}
