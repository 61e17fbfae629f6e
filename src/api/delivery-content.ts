/** Deliveries as a caller may see them: the content of a message requires the right to read its topic. */
import type { Caller } from "../keys/caller.ts";
import type { DeliveryPage } from "../uplink/queue/lists/delivery-lists.ts";
import type { Delivery, DeliveryDetail } from "../uplink/queue/lists/delivery-queries.ts";
import type { MessageDeliveries } from "../uplink/queue/lists/message-deliveries.ts";
import { mayReadContent } from "../webhooks/access.ts";

/** The outcome of an attempt. Its other fields can quote the message, and so can a response. */
type AttemptOutcome = Pick<NonNullable<Delivery["lastAttempt"]>, "at" | "statusCode" | "error" | "durationMs">;

export function listed<D extends Delivery>(delivery: D, caller: Caller): D {
  if (!delivery.lastAttempt || mayReadContent(delivery, caller)) return delivery;
  return { ...delivery, lastAttempt: outcomeOf(delivery.lastAttempt) };
}

export function listedPage({ items, nextCursor }: DeliveryPage, caller: Caller): DeliveryPage {
  return { items: items.map((delivery) => listed(delivery, caller)), nextCursor };
}

export function detailed(delivery: DeliveryDetail, caller: Caller): DeliveryDetail {
  if (mayReadContent(delivery, caller)) return delivery;
  const { topic, qos, retain } = delivery.message;
  return {
    ...listed(delivery, caller),
    message: { topic, qos, retain },
    attemptLog: delivery.attemptLog.map((attempt) => ({ ...outcomeOf(attempt), request: null, responseBody: null })),
  };
}

/** A received message with its deliveries. */
export function received(id: string, { message, deliveries }: MessageDeliveries, caller: Caller) {
  const { receivedAt, type = "mqtt.message", place: _place, ...content } = message;
  const { topic, qos, retain } = content;
  return {
    id,
    direction: "received" as const,
    type,
    ...(mayReadContent({ topic, type }, caller) ? content : { topic, qos, retain }),
    receivedAt: new Date(receivedAt).toISOString(),
    deliveries: deliveries.map((delivery) => {
      const { webhookId, status, attempts, lastAttempt } = listed(delivery, caller);
      return { webhookId, status, attempts, lastAttempt };
    }),
  };
}

function outcomeOf({ at, statusCode, error, durationMs }: AttemptOutcome): AttemptOutcome {
  return { at, statusCode, error, durationMs };
}
