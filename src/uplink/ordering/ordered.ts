/** Which of several instances delivers for the ordered webhooks: one that has all of their lines in its own memory. */
import type { Lease } from "../../store/lease.ts";

export class Ordered {
  readonly #lease: Lease;
  readonly #listeners: (() => void)[] = [];

  constructor(openLease: (callbacks: { onGained(): void; onLost(): void }) => Lease) {
    const tell = () => {
      for (const listener of this.#listeners) listener();
    };
    this.#lease = openLease({ onGained: tell, onLost: tell });
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

  /** Leaves it to another instance; the workers must have ended before. */
  stop(): Promise<void> {
    return this.#lease.stop();
  }
}
