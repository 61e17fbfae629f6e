import { ActiveQueues } from "./active-queues.ts";
import { Engine, type EngineOptions } from "./engine/engine.ts";
import { EVENTS_TOPIC } from "./procedures/events.ts";
import { Waker } from "./waker.ts";

/** Resolves in dist as well as from the sources. */
const PROCEDURES = new URL(`procedures/index${import.meta.url.slice(-3)}`, import.meta.url);

export type SqliteOptions = Omit<EngineOptions, "modules"> & {
  /** Further modules of procedures, which run in the same thread, file and transactions as the queues. */
  modules?: EngineOptions["modules"];
};

/** An open database, shared by all queues and workers of a process: BullMQ's `connection`. */
export class SqliteConnection {
  readonly waker: Waker;
  readonly active: ActiveQueues;
  /** Names under which workers and `QueueEvents` are listed. */
  readonly clients = new Map<object, string>();
  readonly #eventListeners = new Map<string, Set<() => void>>();

  private constructor(readonly engine: Engine) {
    this.waker = new Waker(engine);
    this.active = new ActiveQueues(engine);
    engine.on<string>(EVENTS_TOPIC, (queue) => {
      for (const listener of [...(this.#eventListeners.get(queue) ?? [])]) listener();
    });
  }

  /** @throws {EngineError} if the file is in use, damaged, or cannot be opened */
  static async open({ modules = [], ...options }: SqliteOptions): Promise<SqliteConnection> {
    return new SqliteConnection(await Engine.open({ ...options, modules: [PROCEDURES, ...modules] }));
  }

  /** Calls the listener when events of the queue were stored. Returns a function that ends it. */
  onEvents(queue: string, listener: () => void): () => void {
    const listeners = this.#eventListeners.get(queue) ?? new Set();
    this.#eventListeners.set(queue, listeners.add(listener));
    return () => {
      listeners.delete(listener);
      if (listeners.size === 0) this.#eventListeners.delete(queue);
    };
  }

  /** Closes the file. Close queues and workers first. Idempotent. */
  async close(): Promise<void> {
    this.waker.close();
    await this.engine.close();
  }
}
