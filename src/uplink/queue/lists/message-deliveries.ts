/** The deliveries of one message to several webhooks. */

import type { DeliveryQueue } from "../delivery-queue.ts";
import type { DeliveryJob } from "../job.ts";
import { type Delivery, statusOf, toDelivery } from "./delivery-queries.ts";

export interface MessageDeliveries {
  /** The message, as each of its deliveries holds it. */
  message: DeliveryJob;
  deliveries: Delivery[];
}

/** Queues searched at once: each may hold the message with a payload of the maximum size. */
const SEARCHED = 50;

/** Searches the queues of all these webhooks: one lookup by id each. */
export async function findMessage(
  queueOf: (webhookId: string) => DeliveryQueue,
  webhookIds: readonly string[],
  messageId: string,
): Promise<MessageDeliveries | "not_found"> {
  const deliveries: Delivery[] = [];
  let message: DeliveryJob | undefined;
  const search = async (webhookId: string) => {
    const queue = queueOf(webhookId);
    const found = await queue.getWithState(messageId);
    const status = found && statusOf(found.state);
    if (!status) return;
    message ??= found.job.data;
    deliveries.push(await toDelivery(queue, found.job, webhookId, status));
  };
  for (let i = 0; i < webhookIds.length; i += SEARCHED) {
    await Promise.all(webhookIds.slice(i, i + SEARCHED).map(search));
  }
  deliveries.sort((a, b) => (a.webhookId < b.webhookId ? -1 : 1));
  return message ? { message, deliveries } : "not_found";
}
