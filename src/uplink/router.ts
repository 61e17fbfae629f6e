/** Topic → webhooks, each of them once per message however many copies of it the broker sends. */
import { Qlobber } from "qlobber";
import { MAX_TOPIC_BYTES } from "../topic.ts";
import type { Assignment } from "./plan.ts";

export interface Route {
  webhookId: string;
  /** The webhook's filters. */
  topics: string[];
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
    for (const { webhookId, topics } of routes) {
      for (const filter of topics) {
        const assignment = assignments.get(filter);
        // Not subscribed yet: nothing can arrive for it, and it must not claim what comes for another filter.
        if (!assignment) continue;
        this.#trie.add(filter, { webhookId, leadingWildcard: /^[+#]/.test(filter), ...assignment });
      }
    }
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

    const first = new Map<string, Entry>();
    for (const entry of entries) {
      const other = first.get(entry.webhookId);
      if (!other || entry.id < other.id) first.set(entry.webhookId, entry);
    }
    const here = [...first.values()].filter(isHere).map(({ webhookId }) => webhookId);
    return here.length > 0 ? here : undefined;
  }
}
