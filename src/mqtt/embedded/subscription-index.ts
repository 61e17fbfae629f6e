import { TopicIndex } from "../../topic-index.ts";

export interface ClientSubscription {
  topic: string;
  qos: number;
}

export type SessionSubscription = ClientSubscription & { clientId: string };

/** The subscriptions of all stored sessions, in memory: those by client, and by topic those that messages are stored for. */
export class SubscriptionIndex {
  readonly #sessions = new Map<string, Map<string, SessionSubscription>>();
  /** Without QoS 0, whose messages are not stored. */
  readonly #byTopic = new TopicIndex<SessionSubscription>();

  add(clientId: string, { topic, ...options }: ClientSubscription): void {
    this.remove(clientId, topic);
    const subscription = { clientId, topic, ...options };
    const filters = this.#sessions.get(clientId) ?? new Map();
    this.#sessions.set(clientId, filters.set(topic, subscription));
    if (subscription.qos > 0) this.#byTopic.add(topic, subscription);
  }

  remove(clientId: string, topic: string): void {
    const filters = this.#sessions.get(clientId);
    const known = filters?.get(topic);
    if (!filters || !known) return;
    if (known.qos > 0) this.#byTopic.remove(topic, known);
    filters.delete(topic);
    if (filters.size === 0) this.#sessions.delete(clientId);
  }

  byClient(clientId: string): ClientSubscription[] {
    return [...(this.#sessions.get(clientId)?.values() ?? [])].map(({ clientId: _, ...subscription }) => subscription);
  }

  byTopic(topic: string): SessionSubscription[] {
    return this.#byTopic.match(topic);
  }

  *clientsOf(filter: string): Generator<string> {
    for (const [clientId, filters] of this.#sessions) if (filters.has(filter)) yield clientId;
  }

  count(): { subsCount: number; clientsCount: number } {
    let subsCount = 0;
    for (const filters of this.#sessions.values()) for (const { qos } of filters.values()) if (qos > 0) subsCount += 1;
    return { subsCount, clientsCount: this.#sessions.size };
  }
}
