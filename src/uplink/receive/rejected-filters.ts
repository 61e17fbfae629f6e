/**
 * Skips filters of stored registrations that an older version accepted although brokers end the connection for them.
 * The webhook keeps its other filters, and the log gives the reason.
 */
import { topicFilterError } from "../../topic.ts";

/**
 * @param onSetAside called once per skipped filter for each version of a registration
 * @returns a function that returns a registration with its valid filters only
 */
export function createSubscribable<W extends { id: string; topics: string[] }>(
  onSetAside: (webhookId: string, filter: string, reason: string) => void,
): (webhook: W) => W {
  // Cached because each change of any registration applies the function to all of them.
  const known = new WeakMap<W, W>();
  return (webhook) => {
    const before = known.get(webhook);
    if (before) return before;
    const topics = webhook.topics.filter((filter) => {
      const reason = topicFilterError(filter);
      if (reason) onSetAside(webhook.id, filter, reason);
      return !reason;
    });
    const subscribable = topics.length === webhook.topics.length ? webhook : { ...webhook, topics };
    known.set(webhook, subscribable);
    return subscribable;
  };
}
