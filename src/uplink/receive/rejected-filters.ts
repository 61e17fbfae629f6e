/**
 * Sets aside the filters of stored registrations that an older version accepted although brokers end the connection for
 * them: the webhook keeps its other filters, and the log says why.
 */
import { topicFilterError } from "../../topic.ts";

/**
 * @param onSetAside called once for each filter of a version of a registration
 * @returns the registration with the filters that may be subscribed
 */
export function createSubscribable<W extends { id: string; topics: string[] }>(
  onSetAside: (webhookId: string, filter: string, reason: string) => void,
): (webhook: W) => W {
  // Looked at again with every change of any registration.
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
