import type { Engine } from "./engine/engine.ts";
import { DUE_TOPIC, type Due, READY_TOPIC } from "./procedures/signals.ts";

interface QueueWaits {
  /** Grows with every sign that a job can be taken. */
  version: number;
  /** Time of the next delayed job, as far as known. */
  dueAt: number;
  readonly waiters: Set<() => void>;
}

/** Timers do not follow a clock that is set while they run, as on a device that gets the time from the network. */
const MAX_TIMEOUT_MS = 10_000;

/**
 * Wakes idle workers without polling: at once when a job becomes ready, and by one timer for the delayed jobs of all
 * queues. A worker that was told `version` when it last looked misses nothing that happened after it looked.
 */
export class Waker {
  readonly #queues = new Map<string, QueueWaits>();
  #timer: NodeJS.Timeout | undefined;
  #timerAt = Number.POSITIVE_INFINITY;

  constructor(engine: Engine) {
    engine.on<string>(READY_TOPIC, (queue) => this.#ready(this.#waits(queue)));
    engine.on<Due>(DUE_TOPIC, ([queue, at]) => this.due(queue, at));
  }

  version(queue: string): number {
    return this.#waits(queue).version;
  }

  /** A delayed job of the queue can be taken at a time. */
  due(queue: string, at: number): void {
    const waits = this.#waits(queue);
    if (at >= waits.dueAt) return;
    waits.dueAt = at;
    this.#arm(at);
  }

  /** Resolves when the version of the queue is no longer the given one, or on abort. */
  async wait(queue: string, version: number, signal: AbortSignal): Promise<void> {
    const waits = this.#waits(queue);
    if (waits.version !== version || signal.aborted) return;
    await new Promise<void>((resolve) => {
      const wake = () => {
        waits.waiters.delete(wake);
        signal.removeEventListener("abort", wake);
        resolve();
      };
      waits.waiters.add(wake);
      signal.addEventListener("abort", wake);
    });
  }

  close(): void {
    clearTimeout(this.#timer);
    for (const waits of this.#queues.values()) for (const wake of waits.waiters) wake();
  }

  #waits(queue: string): QueueWaits {
    let waits = this.#queues.get(queue);
    if (!waits) {
      waits = { version: 0, dueAt: Number.POSITIVE_INFINITY, waiters: new Set() };
      this.#queues.set(queue, waits);
    }
    return waits;
  }

  #ready(waits: QueueWaits): void {
    waits.version += 1;
    for (const wake of waits.waiters) wake();
  }

  #arm(at: number): void {
    if (at >= this.#timerAt) return;
    clearTimeout(this.#timer);
    this.#timerAt = at;
    const delay = Math.min(Math.max(0, at - Date.now()), MAX_TIMEOUT_MS);
    this.#timer = setTimeout(() => this.#fire(), delay).unref();
  }

  #fire(): void {
    this.#timerAt = Number.POSITIVE_INFINITY;
    const now = Date.now();
    let next = Number.POSITIVE_INFINITY;
    for (const waits of this.#queues.values()) {
      if (waits.dueAt <= now) {
        // The worker that looks now learns of the next one.
        waits.dueAt = Number.POSITIVE_INFINITY;
        this.#ready(waits);
      } else {
        next = Math.min(next, waits.dueAt);
      }
    }
    if (Number.isFinite(next)) this.#arm(next);
  }
}
