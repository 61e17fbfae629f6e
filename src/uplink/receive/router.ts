/** Topic → webhooks, each of them once per message however many copies of it the broker sends. */
import { Qlobber } from "qlobber";
import { MAX_TOPIC_BYTES } from "../../topic.ts";
import type { Assignment } from "./session-plan.ts";

export interface Route {
  webhookId: string;
  /** The webhook's filters. */
  topics: string[];
  /** Filters it had before whose copies may still be on their way, and count as well: rather twice than not at all. */
  leaving?: string[];
}

/** Where a copy of a message came from. */
export interface Copy {
  session: number;
  /** Subscription identifiers of the copy; absent on 3.1.1 and from brokers without them. */
  ids?: number[] | undefined;
}

interface Entry extends Assignment {
  webhookId: string;
  leadingWildcard: boolean;
  leaving: boolean;
}

/**
 * A copy belongs to a webhook when it came for the *oldest* of the webhook's filters that match the topic, the one with
 * the lowest identifier: told by the copy's identifiers, or on 3.1.1 by its session, in which no other filter matches.
 * There is exactly one such copy. The oldest, because a filter just added may not be subscribed yet.
 */
export class Router {
  readonly #trie = new Qlobber<Entry>({
    separator: "/",
    wildcard_one: "+",
    wildcard_some: "#",
    match_empty_levels: true,
    // More levels than the longest topic can have: the default of 100 would throw at a device's topic.
    max_words: MAX_TOPIC_BYTES + 1,
  });

  constructor(routes: Iterable<Route>, assignments: ReadonlyMap<string, Assignment>) {
    for (const { webhookId, topics, leaving = [] } of routes) {
      for (const filter of topics) this.#add(filter, webhookId, false, assignments);
      for (const filter of leaving) this.#add(filter, webhookId, true, assignments);
    }
  }

  #add(filter: string, webhookId: string, leaving: boolean, assignments: ReadonlyMap<string, Assignment>): void {
    const assignment = assignments.get(filter);
    // Not subscribed yet: nothing can arrive for it, and it must not claim what comes for another filter.
    if (!assignment) return;
    this.#trie.add(filter, { webhookId, leadingWildcard: /^[+#]/.test(filter), leaving, ...assignment });
  }

  /**
   * The webhooks this copy is for; none, or undefined when webhooks match the topic but another copy of the same
   * message is the one for them.
   */
  route(topic: string, { session, ids }: Copy): string[] | undefined {
    let entries = this.#trie.match(topic);
    // [MQTT-4.7.2-1]; the trie does not know it.
    if (topic.startsWith("$")) entries = entries.filter(({ leadingWildcard }) => !leadingWildcard);
    const only = entries[0];
    if (!only) return [];
    const isHere = ids?.length ? (entry: Entry) => ids.includes(entry.id) : (entry: Entry) => entry.session === session;
    if (entries.length === 1) return isHere(only) ? [only.webhookId] : undefined;

    const oldest = new Map<string, Entry>();
    for (const entry of entries) {
      const other = oldest.get(entry.webhookId);
      if (!entry.leaving && (!other || entry.id < other.id)) oldest.set(entry.webhookId, entry);
    }
    const here = entries.filter((entry) => (entry.leaving || oldest.get(entry.webhookId) === entry) && isHere(entry));
    return here.length > 0 ? [...new Set(here.map(({ webhookId }) => webhookId))] : undefined;
  }
}
