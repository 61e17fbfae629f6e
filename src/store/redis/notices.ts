import type { Redis } from "ioredis";
import type { StoreLog } from "../log.ts";

type Listener = (id: string | undefined) => void;

/**
 * Change notices over pub/sub on one subscriber connection. What was published while the connection was away is gone,
 * so every listener hears `undefined` once the subscriptions stand again.
 */
export class Notices {
  readonly #client: Redis;
  readonly #log: StoreLog;
  readonly #listeners = new Map<string, Set<Listener>>();
  #connected = false;

  constructor(client: Redis, log: StoreLog) {
    this.#client = client;
    this.#log = log;
    client.on("message", (channel: string, id: string) => this.#tell(channel, id));
    client.on("ready", () => {
      if (this.#connected) void this.#resubscribe();
      this.#connected = true;
    });
  }

  /** Resolves once Redis has confirmed the subscription; waits for Redis if it is away. */
  async watch(channel: string, listener: Listener): Promise<() => Promise<void>> {
    // Wrapped, so that the same function given twice is two listeners.
    const entry: Listener = (id) => listener(id);
    const listeners = this.#listeners.get(channel) ?? new Set();
    listeners.add(entry);
    this.#listeners.set(channel, listeners);
    await this.#client.subscribe(channel);
    return async () => {
      if (!listeners.delete(entry) || listeners.size > 0 || this.#listeners.get(channel) !== listeners) return;
      this.#listeners.delete(channel);
      // Not waited for while Redis is away: a connection that comes back subscribes only to what is listened to.
      if (this.#client.status === "ready") await this.#client.unsubscribe(channel);
    };
  }

  async #resubscribe(): Promise<void> {
    const channels = [...this.#listeners.keys()];
    if (channels.length === 0) return;
    try {
      await this.#client.subscribe(...channels);
    } catch {
      return; // Lost again: the next `ready` comes here again.
    }
    for (const channel of channels) this.#tell(channel, undefined);
  }

  #tell(channel: string, id: string | undefined): void {
    for (const listener of this.#listeners.get(channel) ?? []) {
      try {
        listener(id);
      } catch (err) {
        this.#log.error({ err, channel }, "watch_listener_failed");
      }
    }
  }
}
