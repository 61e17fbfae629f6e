/**
 * Queues whose webhook is gone: what an instance added that had not heard of its end yet, or what a process that died
 * had still to drop. They are dropped here.
 */
export interface OrphanedQueuesOptions {
  /** Ids of the webhooks that have a queue. */
  queued(): Promise<string[]>;
  /** As this instance knows it. */
  isKnown(webhookId: string): boolean;
  /** Whether there is a registration in the store, be it one that this version cannot read. */
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
      // In this order: nothing is added before the registration is stored.
      if (!isKnown(id) && !(await isStored(id))) await drop(id);
    }
  }
}
