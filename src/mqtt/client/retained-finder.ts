/**
 * Finds the topics under a filter that hold a retained message. Each search has its own connection, so that its
 * results, and the live messages under a broad filter, never delay another search or a read.
 *
 * A search subscribes with QoS 0. With a higher QoS, brokers queue messages beyond their window, and silently drop
 * those beyond the queue limit (Mosquitto: 1,000). The drawback is that the QoS of a message is not visible; a caller
 * that needs it reads the topic.
 */
import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { FoundTopics } from "../../downlink/retained.ts";
import { matches } from "../../topic.ts";
import { ANSWER_MS, connected, graceMs, queryError, tooMany, unavailable, within } from "./broker-query.ts";
import { type BrokerAddress, Connection, type Log } from "./connection.ts";

/** Time limit of one search, from the subscription on. */
const SEARCH_MS = 5_000;
export const MAX_FOUND = 10_000;
/** A topic may have 65,535 bytes. */
export const MAX_FOUND_BYTES = 16 * 1024 * 1024;
/** Concurrent searches. */
const MAX_SEARCHES = 4;

export interface FinderOptions {
  broker: BrokerAddress;
  clientId: string;
  log: Log;
  /** Why the broker cannot be queried now; undefined if it can. */
  outage(): string | undefined;
  /** The version known to work, so that it is not negotiated each time. */
  protocol(): "5" | "3.1.1" | undefined;
}

export function retainedFinder(options: FinderOptions): (filter: string) => Promise<FoundTopics> {
  /** Concurrent searches with the same filter share one result. */
  const searches = new Map<string, Promise<FoundTopics>>();
  let last = 0;
  return async (filter) => {
    const outage = options.outage();
    if (outage !== undefined) throw unavailable(outage);
    const running = searches.get(filter);
    if (running) return running;
    if (searches.size >= MAX_SEARCHES) throw tooMany("searches");
    const search = find(filter, options, `${options.clientId}-${++last}`).finally(() => searches.delete(filter));
    searches.set(filter, search);
    return search;
  };
}

async function find(filter: string, options: FinderOptions, clientId: string): Promise<FoundTopics> {
  const collected = new Collected();
  let heardAt = 0;
  const connection = new Connection({
    broker: { ...options.broker, protocol: options.protocol() ?? options.broker.protocol },
    name: "list",
    clientId,
    persistent: false,
    // Its connects and disconnects are not worth logging.
    log: { ...options.log, info: () => undefined },
    prepare: (client) =>
      client.on("message", (topic, _payload, { retain }) => {
        if (!retain || !matches(filter, topic)) return;
        heardAt = performance.now();
        collected.add(topic);
      }),
  });
  try {
    const { client } = await connected(connection);
    const startedAt = performance.now();
    await within(ANSWER_MS, client.subscribeAsync(filter, { qos: 0 }));
    // A round trip without effect after the subscription.
    const askedAt = performance.now();
    await within(ANSWER_MS, client.unsubscribeAsync(`${clientId}/-`));
    const answeredAt = performance.now();
    const grace = graceMs(answeredAt - askedAt);
    while (!collected.full) {
      const now = performance.now();
      const quietMs = now - Math.max(heardAt, answeredAt);
      if (quietMs >= grace) return { topics: collected.topics, truncated: false };
      if (now - startedAt >= SEARCH_MS) break;
      await delay(Math.min(grace - quietMs, SEARCH_MS));
      // A process that was blocked first reads the messages that arrived meanwhile.
      await nextTurn();
    }
    return { topics: collected.topics, truncated: true };
  } catch (error) {
    throw queryError(error);
  } finally {
    void connection.close();
  }
}

/** Unique topics, up to a limit. */
export class Collected {
  /** Whether there are more topics than the limit. */
  full = false;
  readonly #topics = new Set<string>();
  #bytes = 0;

  add(topic: string): void {
    if (this.full || this.#topics.has(topic)) return;
    this.#bytes += topic.length;
    this.full = this.#topics.size >= MAX_FOUND || this.#bytes > MAX_FOUND_BYTES;
    if (!this.full) this.#topics.add(topic);
  }

  get topics(): string[] {
    return [...this.#topics];
  }
}
