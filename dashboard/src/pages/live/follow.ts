/** Finds the deliveries of a live message: the stream and the webhooks receive copies with ids of their own. Pure. */
import type { Delivery } from "causeway-mqtt/client";

/** How far apart two copies of a message arrive at most. */
export const NEAR_MS = 250;

/**
 * The message id of the deliveries around a time: of the nearest copy, because each webhook may have received its own.
 * Undefined if there is none, or if a webhook received two messages.
 */
export function followedBy(
  deliveries: readonly Pick<Delivery, "messageId" | "webhookId" | "receivedAt">[],
  at: number,
): string | undefined {
  const distance = ({ receivedAt }: Pick<Delivery, "receivedAt">) => Math.abs(Date.parse(receivedAt) - at);
  const near = deliveries.filter((delivery) => distance(delivery) <= NEAR_MS);
  const byWebhook = new Set(near.map(({ webhookId }) => webhookId));
  if (byWebhook.size < near.length) return undefined;
  return near.sort((a, b) => distance(a) - distance(b))[0]?.messageId;
}
