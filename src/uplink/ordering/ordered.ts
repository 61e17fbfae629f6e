/**
 * Election of the instance that delivers for ordered webhooks: one process has all of their message groups in memory.
 */
import type { Lease } from "../../store/lease.ts";

export class Ordered {
  readonly #lease: Lease;
  readonly #listeners: (() => void)[] = [];

  constructor(openLease: (callbacks: { onGained(): void; onLost(): void }) => Lease) {
    const notify = () => {
      for (const listener of this.#listeners) listener();
    };
    this.#lease = openLease({ onGained: notify, onLost: notify });
  }

  mayRun(): boolean {
    return this.#lease.held;
  }

  onChange(listener: () => void): void {
    this.#listeners.push(listener);
  }

  start(): Promise<void> {
    return this.#lease.start();
  }

  /** Releases the lease to another instance. The workers must have stopped before. */
  stop(): Promise<void> {
    return this.#lease.stop();
  }
}
