/** One worker for each webhook that may be called; they come and go with the registrations. */
import type { Job, Queue, Worker } from "bullmq";
import type { Webhook } from "../webhooks/webhook.ts";
import { type Deliver, type DeliverOptions, makeDeliver } from "./deliver.ts";
import { type DeliveryJob, KEEP_FAILED, KEEP_SUCCEEDED, queueName } from "./delivery.ts";
import type { EndpointHealth } from "./health.ts";
import { backoff } from "./outcome.ts";
import { limiterOf, rest } from "./rest.ts";

type Processor = (job: Job<DeliveryJob>, token?: string) => Promise<unknown>;

export interface WorkersOptions extends DeliverOptions {
  webhooks(): Iterable<Webhook>;
  queue(webhookId: string): Queue;
  health: Pick<EndpointHealth, "admit" | "settle" | "isOpen">;
  openWorker(name: string, processor: Processor, options: object): Worker;
}

/**
 * A worker that dies leaves its jobs locked for LOCK_MS; another one takes them up at the next look-out. The lock is
 * renewed while a call lasts.
 */
const LOCK_MS = 15_000;
const LOOK_OUT_MS = 10_000;
/** How soon a worker that rests notices that somebody has ended the rest. */
const LONGEST_NAP_MS = 5_000;

export class Workers {
  readonly #workers = new Map<string, Worker>();
  readonly #closing = new Set<Promise<unknown>>();
  #stopped = false;

  constructor(private readonly options: WorkersOptions) {}

  /** Starts, stops and adjusts the workers after registrations changed. */
  refresh(changed?: ReadonlySet<string>): void {
    if (this.#stopped) return;
    const ids = changed ?? new Set([...this.#workers.keys(), ...[...this.options.webhooks()].map(({ id }) => id)]);
    for (const id of ids) {
      const webhook = this.options.webhook(id);
      const worker = this.#workers.get(id);
      const runs = webhook?.enabled && !webhook.disabled;
      if (runs && !worker) this.#workers.set(id, this.#open(webhook));
      else if (runs && worker) this.#adjust(worker, webhook);
      else if (worker) this.#close(id, worker);
    }
  }

  get size(): number {
    return this.#workers.size;
  }

  /** Takes nothing up any more and lets calls under way finish, which takes as long as they do. */
  async stop(): Promise<void> {
    this.#stopped = true;
    for (const [id, worker] of this.#workers) this.#close(id, worker);
    await Promise.allSettled(this.#closing);
  }

  #open(webhook: Webhook): Worker {
    const deliver: Deliver = makeDeliver(webhook.id, this.options);
    const queue = this.options.queue(webhook.id);
    const endpoint = { rest: (ms: number) => rest(queue, ms, this.options.webhook(webhook.id)?.rateLimit) };
    return this.options.openWorker(queueName(webhook.id), (job, token) => deliver(job, token, endpoint), {
      concurrency: this.#concurrency(webhook),
      limiter: limiterOf(webhook.rateLimit),
      maximumRateLimitDelay: LONGEST_NAP_MS,
      lockDuration: LOCK_MS,
      stalledInterval: LOOK_OUT_MS,
      // A job may be taken up again as often as processes die: giving up would lose it.
      maxStalledCount: 1_000_000,
      removeOnComplete: KEEP_SUCCEEDED,
      removeOnFail: KEEP_FAILED,
      settings: { backoffStrategy: backoff },
    });
  }

  /** BullMQ reads both at each job that it takes: no worker has to be opened again, and no call is interrupted. */
  #adjust(worker: Worker, webhook: Webhook): void {
    worker.concurrency = this.#concurrency(webhook);
    worker.opts.limiter = limiterOf(webhook.rateLimit);
  }

  /** All but the probe would be taken up in vain. */
  #concurrency({ id, concurrency }: Webhook): number {
    return this.options.health.isOpen(id) ? 1 : concurrency;
  }

  #close(id: string, worker: Worker): void {
    this.#workers.delete(id);
    const closing = worker.close().catch(() => undefined);
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }
}
