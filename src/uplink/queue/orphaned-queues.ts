/**
 * Drops orphaned queues: an instance unaware of a webhook's removal has added jobs, or a process died before it dropped
 * the queue.
 */
export interface OrphanedQueuesOptions {
  /** Ids of the webhooks that have a queue. */
  queued(): Promise<string[]>;
  /** Whether this instance has the registration in its record cache. */
  isKnown(webhookId: string): boolean;
  /** Whether the store has a registration, even one that this version cannot read. */
  isStored(webhookId: string): Promise<boolean>;
  drop(webhookId: string): Promise<void>;
  onFailed(error: Error): void;
  /** For tests. */
  sweepMs?: number;
}

const SWEEP_MS = 30_000;

export class OrphanedQueues {
  #timer: NodeJS.Timeout | undefined;
  #sweeping: Promise<void> | undefined;

  constructor(private readonly options: OrphanedQueuesOptions) {}

  start(): void {
    this.#timer = setInterval(() => void this.sweep(), this.options.sweepMs ?? SWEEP_MS).unref();
  }

  async stop(): Promise<void> {
    clearInterval(this.#timer);
    await this.#sweeping;
  }

  /** Never rejects. */
  sweep(): Promise<void> {
    this.#sweeping ??= this.#sweep()
      .catch(this.options.onFailed)
      .finally(() => {
        this.#sweeping = undefined;
      });
    return this.#sweeping;
  }

  async #sweep(): Promise<void> {
    const { queued, isKnown, isStored, drop } = this.options;
    for (const id of await queued()) {
      // Check after listing the queues: nothing is added before the registration is stored.
      if (!isKnown(id) && !(await isStored(id))) await drop(id);
    }
  }
}
