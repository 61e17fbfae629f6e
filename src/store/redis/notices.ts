import type { Redis } from "ioredis";
import type { StoreLog } from "../log.ts";

type NoticeListener = (id: string | undefined) => void;

/**
 * Change notices over pub/sub on one subscriber connection. Notices published while the connection was down are lost,
 * so every listener is called with `undefined` once the subscriptions are active again.
 */
export class Notices {
  readonly #client: Redis;
  readonly #log: StoreLog;
  readonly #listeners = new Map<string, Set<NoticeListener>>();
  #connected = false;

  constructor(client: Redis, log: StoreLog) {
    this.#client = client;
    this.#log = log;
    client.on("message", (channel: string, id: string) => this.#notify(channel, id));
    client.on("ready", () => {
      if (this.#connected) void this.#resubscribe();
      this.#connected = true;
    });
  }

  /** Resolves once Redis has confirmed the subscription; waits while Redis is unavailable. */
  async watch(channel: string, listener: NoticeListener): Promise<() => Promise<void>> {
    // Wrapped, so that the same function passed twice counts as two listeners.
    const entry: NoticeListener = (id) => listener(id);
    const listeners = this.#listeners.get(channel) ?? new Set();
    listeners.add(entry);
    this.#listeners.set(channel, listeners);
    await this.#client.subscribe(channel);
    return async () => {
      if (!listeners.delete(entry) || listeners.size > 0 || this.#listeners.get(channel) !== listeners) return;
      this.#listeners.delete(channel);
      // Not needed while Redis is unavailable: a reconnect subscribes only to channels that have listeners.
      if (this.#client.status === "ready") await this.#client.unsubscribe(channel);
    };
  }

  async #resubscribe(): Promise<void> {
    const channels = [...this.#listeners.keys()];
    if (channels.length === 0) return;
    try {
      await this.#client.subscribe(...channels);
    } catch {
      return; // Connection lost again: the next `ready` event retries.
    }
    for (const channel of channels) this.#notify(channel, undefined);
  }

  #notify(channel: string, id: string | undefined): void {
    for (const listener of this.#listeners.get(channel) ?? []) {
      try {
        listener(id);
      } catch (err) {
        this.#log.error({ err, channel }, "watch_listener_failed");
      }
    }
  }
}
