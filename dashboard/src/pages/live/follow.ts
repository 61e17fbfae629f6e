/** Finds the deliveries of a live message: the stream and the webhooks receive copies with ids of their own. Pure. */
import type { Delivery } from "causeway-mqtt/client";

/** How far apart two copies of a message arrive at most. */
export const NEAR_MS = 250;

/** The message id of the deliveries around a time; undefined if there is none, or more than one message. */
export function followedBy(
  deliveries: readonly Pick<Delivery, "messageId" | "receivedAt">[],
  at: number,
): string | undefined {
  const ids = deliveries.filter(({ receivedAt }) => Math.abs(Date.parse(receivedAt) - at) <= NEAR_MS);
  const distinct = new Set(ids.map(({ messageId }) => messageId));
  return distinct.size === 1 ? [...distinct][0] : undefined;
}
