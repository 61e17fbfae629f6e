import type { StoreLog } from "./log.ts";

type Listener = (id: string | undefined) => void;

/** Change notices within the process: no other process can open the data directory, and no notice is ever lost. */
export class Watchers {
  readonly #log: StoreLog;
  readonly #listeners = new Map<string, Set<Listener>>();

  constructor(log: StoreLog) {
    this.#log = log;
  }

  add(collection: string, listener: Listener): () => Promise<void> {
    // Wrapped, so that the same function passed twice counts as two listeners.
    const entry: Listener = (id) => listener(id);
    const listeners = this.#listeners.get(collection) ?? new Set();
    listeners.add(entry);
    this.#listeners.set(collection, listeners);
    return async () => {
      listeners.delete(entry);
    };
  }

  notify(collection: string, id: string): void {
    for (const listener of this.#listeners.get(collection) ?? []) {
      try {
        listener(id);
      } catch (err) {
        this.#log.error({ err, collection }, "watch_listener_failed");
      }
    }
  }
}
