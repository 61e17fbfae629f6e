/** Access rules: which webhooks a caller may see, and which rights registering or using one requires. Pure. */

import { Refused } from "../errors.ts";
import { type Caller, checkRead } from "../keys/caller.ts";
import { checkReplyTopic } from "./reply-topic.ts";
import type { Webhook, WebhookEvent, WebhookPatch } from "./webhook.ts";

export function isVisible(webhook: Webhook, caller: Caller): boolean {
  return webhook.topics.every((filter) => caller.mayRead(filter)) && (!webhook.events?.length || caller.mayRead("#"));
}

export function visibleIds(webhooks: readonly Webhook[], caller: Caller): string[] {
  return webhooks.filter((webhook) => isVisible(webhook, caller)).map(({ id }) => id);
}

/** Whether the caller may know about all messages and webhooks together: an administrator, or no filter limits it. */
export function seesAll(webhooks: readonly Webhook[], caller: Caller): boolean {
  return caller.may("admin") || (caller.mayRead("#") && webhooks.every((webhook) => isVisible(webhook, caller)));
}

/**
 * Whether the caller may read the content of a delivery of a visible webhook. The webhook may have had other topics, or
 * events, when the message arrived.
 * @param type CloudEvents `type`
 */
export function mayReadContent({ topic, type }: { topic: string; type: string }, caller: Caller): boolean {
  if (type === "mqtt.message") return caller.mayRead(topic);
  return type === "webhook.test" || caller.mayRead("#");
}

/** A pause, like a removal, only stops the webhook and requires no further rights. */
export function isPause(input: WebhookPatch): boolean {
  return input.enabled === false && Object.keys(input).length === 1;
}

export function checkTopics(caller: Caller, topics: string[]): Refused | undefined {
  for (const [i, filter] of topics.entries()) {
    const refused = checkRead(caller, filter, `topics[${i}]`);
    if (refused) return refused;
  }
  return undefined;
}

/** Events describe all webhooks and their topics, so they require read access to everything. */
export function checkEvents(caller: Caller, events: readonly WebhookEvent[] | null | undefined): Refused | undefined {
  return events?.length ? checkRead(caller, "#", "events") : undefined;
}

/** Checks that the caller may have the receiver called: the bridge publishes its replies. */
export function checkUse(webhook: Webhook, caller: Caller): Refused | undefined {
  return isVisible(webhook, caller) ? checkReplyTopic(webhook, caller) : noWebhook(webhook.id);
}

/** A hidden webhook and an absent one get the same response. */
export function noWebhook(id: string): Refused {
  return new Refused("not_found", `there is no webhook ${id}`);
}

export function taken(externalId: string): Refused {
  return new Refused("conflict", `there is another webhook with the externalId ${externalId}`);
}
