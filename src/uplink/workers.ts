/** One worker for each webhook that may be called; they come and go with the registrations. */
import type { Job, Queue, Worker } from "bullmq";
import type { Webhook } from "../webhooks/webhook.ts";
import { type DeliverOptions, makeDeliver } from "./deliver.ts";
import { type DeliveryJob, KEEP_FAILED, KEEP_SUCCEEDED, queueName } from "./delivery.ts";
import type { Tail } from "./order.ts";
import { OrderedDelivery } from "./order-deliver.ts";
import { backoff } from "./outcome.ts";

type Processor = (job: Job<DeliveryJob>, token?: string) => Promise<unknown>;

export interface WorkersOptions extends DeliverOptions {
  webhooks(): Iterable<Webhook>;
  openWorker(name: string, processor: Processor, options: object): Worker;
  queue(webhookId: string): Queue<DeliveryJob>;
  /** Takes back the end of a line, if it still holds this value. */
  releaseTail(tail: Tail): Promise<void>;
  /**
   * Whether this instance runs the workers of ordered webhooks. Several that do keep the order too, but look often at
   * what the others have under way.
   */
  ordered: { mayRun(): boolean; onChange(listener: () => void): void };
}

/**
 * A worker that dies leaves its jobs locked for LOCK_MS; another one takes them up at the next look-out. The lock is
 * renewed while a call lasts.
 */
const LOCK_MS = 15_000;
const LOOK_OUT_MS = 10_000;
/** Without a limiter `worker.rateLimit` does nothing; this one never limits by itself. */
const NO_LIMIT = { max: 1_000_000_000, duration: 1_000 };

export class Workers {
  readonly #workers = new Map<string, Worker>();
  readonly #closing = new Set<Promise<unknown>>();
  #stopped = false;

  constructor(private readonly options: WorkersOptions) {
    options.ordered.onChange(() => this.refresh());
  }

  /** Starts, stops and adjusts the workers after registrations changed. */
  refresh(changed?: ReadonlySet<string>): void {
    if (this.#stopped) return;
    const ids = changed ?? new Set([...this.#workers.keys(), ...[...this.options.webhooks()].map(({ id }) => id)]);
    for (const id of ids) {
      const webhook = this.options.webhook(id);
      const worker = this.#workers.get(id);
      const runs = webhook?.enabled && !webhook.disabled && (!isOrdered(webhook) || this.options.ordered.mayRun());
      if (runs && !worker) this.#workers.set(id, this.#open(webhook));
      else if (runs && worker) worker.concurrency = webhook.concurrency;
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
    const { id } = webhook;
    const ordered = new OrderedDelivery({
      deliver: makeDeliver(id, this.options),
      queue: () => this.options.queue(id),
      isOrdered: () => isOrdered(this.options.webhook(id)),
      release: this.options.releaseTail,
    });
    const endpoint = { rest: (ms: number) => worker.rateLimit(ms) };
    const worker = this.options.openWorker(queueName(id), (job, token) => ordered.deliver(job, token, endpoint), {
      concurrency: webhook.concurrency,
      limiter: NO_LIMIT,
      lockDuration: LOCK_MS,
      stalledInterval: LOOK_OUT_MS,
      // A job may be taken up again as often as processes die: giving up would lose it.
      maxStalledCount: 1_000_000,
      removeOnComplete: KEEP_SUCCEEDED,
      removeOnFail: KEEP_FAILED,
      settings: { backoffStrategy: backoff },
    });
    worker.on("completed", (job) => ordered.settled(job));
    worker.on("failed", (job) => job && ordered.settled(job));
    worker.on("closing", () => ordered.stop());
    return worker;
  }

  #close(id: string, worker: Worker): void {
    this.#workers.delete(id);
    const closing = worker.close().catch(() => undefined);
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }
}

function isOrdered(webhook: Webhook | undefined): boolean {
  return webhook?.ordering !== undefined && webhook.ordering !== "none";
}
