import type { Thread } from "../engine/thread.ts";
import type { QueueState } from "./queues.ts";

/** A job of the queue can be taken now. */
export const READY_TOPIC = "bullmq:ready";
/** A delayed job of the queue can be taken at a time. */
export const DUE_TOPIC = "bullmq:due";

export type Due = [queue: string, at: number];

/** Wakes workers after the commit: one notice per queue and batch, however many jobs became ready. */
export class Signals {
  readonly #thread: Thread;
  readonly #ready = new Set<string>();
  readonly #due = new Map<string, number>();

  constructor(thread: Thread) {
    this.#thread = thread;
    thread.hooks.push({
      beforeOperation: () => this.#send(),
      beforeCommit: () => this.#send(),
      afterRollback: () => this.#clear(),
    });
  }

  ready(queue: QueueState): void {
    if (!queue.paused) this.#ready.add(queue.name);
  }

  due(queue: QueueState, at: number): void {
    this.#due.set(queue.name, Math.min(at, this.#due.get(queue.name) ?? Number.POSITIVE_INFINITY));
  }

  #send(): void {
    for (const queue of this.#ready) this.#thread.notify(READY_TOPIC, queue);
    for (const due of this.#due) this.#thread.notify(DUE_TOPIC, due satisfies Due);
    this.#clear();
  }

  #clear(): void {
    this.#ready.clear();
    this.#due.clear();
  }
}
