/** Filters of the list of webhooks. Pure. */
import { type Refused, refuseField } from "../errors.ts";
import { topicNameError } from "../topic.ts";
import { matcher } from "../topic-index.ts";
import type { Webhook } from "./webhook.ts";
import { stateOf, type WebhookState } from "./webhook-dto.ts";

export interface WebhookFilters {
  state?: WebhookState;
  /** Part of the name, whatever its case. */
  name?: string;
  /** Topic name that one of the webhook's topic filters must match. */
  topic?: string;
}

type Filter = (webhook: Webhook) => boolean;

/**
 * Builds a check whether a webhook passes all filters; refused if the topic is not a topic name.
 * @param failingSince time since which the endpoint has failed, in milliseconds
 */
export function listFilter(
  { state, name, topic }: WebhookFilters,
  failingSince: (webhookId: string) => number | undefined,
): Filter | Refused {
  const wrong = topic === undefined ? undefined : topicNameError(topic);
  if (wrong) return refuseField("invalid_topic", "query.topic", wrong);
  const filters: (Filter | false)[] = [
    state !== undefined && ((webhook) => stateOf(webhook, failingSince(webhook.id)) === state),
    name !== undefined && ((webhook) => lower(webhook.name ?? "").includes(lower(name))),
    topic !== undefined && ((webhook) => matcher(webhook.topics)(topic)),
  ];
  return (webhook) => filters.every((filter) => filter === false || filter(webhook));
}

function lower(text: string): string {
  return text.toLowerCase();
}
