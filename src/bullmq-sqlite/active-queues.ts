import type { Engine } from "./engine/engine.ts";

/** How long one reading serves: the checks of a thousand idle workers, which each ask every few seconds, share it. */
const SHARED_MS = 1_000;

/** Queues with active jobs: only they can have stalled ones. */
export class ActiveQueues {
  readonly #engine: Engine;
  #reading: { at: number; names: Promise<ReadonlySet<string>> } | undefined;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** @param maxAgeMs maximum age of the answer */
  async has(queue: string, maxAgeMs: number): Promise<boolean> {
    const now = performance.now();
    if (!this.#reading || now - this.#reading.at > Math.min(maxAgeMs, SHARED_MS)) {
      const names = this.#engine.call<string[]>("bullmq.activeQueues").then((all) => new Set(all));
      this.#reading = { at: now, names };
      names.catch(() => {
        this.#reading = undefined;
      });
    }
    return (await this.#reading.names).has(queue);
  }
}
