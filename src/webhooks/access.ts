/** Access rules: which webhooks a caller may see, and which rights registering or using one requires. Pure. */

import { Problem } from "../errors.ts";
import { type Caller, requireRead } from "../keys/caller.ts";
import { checkReplyTopic } from "./reply-topic.ts";
import type { Webhook, WebhookEvent, WebhookPatch } from "./webhook.ts";

export function isVisible(webhook: Webhook, caller: Caller): boolean {
  return webhook.topics.every((filter) => caller.mayRead(filter)) && (!webhook.events?.length || caller.mayRead("#"));
}

/**
 * Checks that the caller may have the receiver called: the bridge publishes its replies.
 * @throws Problem not_found, forbidden_topic
 */
export function requireUse(webhook: Webhook, caller: Caller): void {
  if (!isVisible(webhook, caller)) throw notFound(webhook.id);
  checkReplyTopic(webhook, caller);
}

/** A pause, like a removal, only stops the webhook and requires no further rights. */
export function isPause(input: WebhookPatch): boolean {
  return input.enabled === false && Object.keys(input).length === 1;
}

export function requireTopics(caller: Caller, topics: string[]): void {
  for (const [i, filter] of topics.entries()) requireRead(caller, filter, `topics[${i}]`);
}

/** Events describe all webhooks and their topics, so they require read access to everything. */
export function requireEvents(caller: Caller, events: readonly WebhookEvent[] | null | undefined): void {
  if (events?.length) requireRead(caller, "#", "events");
}

/** Uses the registry's wording: a hidden webhook and an absent one get the same response. */
export function notFound(id: string): Problem {
  return new Problem("not_found", `there is no webhook ${id}`);
}
