/** Routes a topic to webhooks, each one once per message, however many copies the broker sends. */
import { TopicIndex } from "../../topic-index.ts";
import type { Assignment } from "./reconciliation/session-plan.ts";

export interface Route {
  webhookId: string;
  /** The webhook's filters. */
  topics: string[];
  /** Former filters whose copies may still arrive. They count too: a duplicate is better than a loss. */
  leaving?: string[];
}

/** Origin of a copy of a message. */
export interface Copy {
  session: number;
  /** Subscription identifiers of the copy; absent on MQTT 3.1.1 and with brokers that do not support them. */
  ids?: number[] | undefined;
}

interface RouteEntry extends Assignment {
  webhookId: string;
  leaving: boolean;
}

/**
 * Routes a copy to a webhook if the copy came for the *oldest* of the webhook's filters that match the topic, the
 * filter with the lowest identifier. The copy's identifiers tell this, or on MQTT 3.1.1 its session, in which no other
 * filter matches. There is exactly one such copy. The oldest filter counts because a new one may not be subscribed yet.
 */
export class Router {
  readonly #entries = new TopicIndex<RouteEntry>();

  constructor(routes: Iterable<Route>, assignments: ReadonlyMap<string, Assignment>) {
    for (const { webhookId, topics, leaving = [] } of routes) {
      for (const filter of topics) this.#add(filter, webhookId, false, assignments);
      for (const filter of leaving) this.#add(filter, webhookId, true, assignments);
    }
  }

  #add(filter: string, webhookId: string, leaving: boolean, assignments: ReadonlyMap<string, Assignment>): void {
    const assignment = assignments.get(filter);
    // Not subscribed yet: no copy can arrive for this filter, and it must not take the copies of another one.
    if (!assignment) return;
    this.#entries.add(filter, { webhookId, leaving, ...assignment });
  }

  /**
   * Returns the webhooks of this copy: none if no webhook matches the topic, undefined if webhooks match but get
   * another copy of the message.
   */
  route(topic: string, { session, ids }: Copy): string[] | undefined {
    const entries = this.#entries.match(topic);
    const only = entries[0];
    if (!only) return [];
    const isHere = ids?.length
      ? (entry: RouteEntry) => ids.includes(entry.id)
      : (entry: RouteEntry) => entry.session === session;
    if (entries.length === 1) return isHere(only) ? [only.webhookId] : undefined;

    const oldest = new Map<string, RouteEntry>();
    for (const entry of entries) {
      const other = oldest.get(entry.webhookId);
      if (!entry.leaving && (!other || entry.id < other.id)) oldest.set(entry.webhookId, entry);
    }
    const here = entries.filter((entry) => (entry.leaving || oldest.get(entry.webhookId) === entry) && isHere(entry));
    return here.length > 0 ? [...new Set(here.map(({ webhookId }) => webhookId))] : undefined;
  }
}
