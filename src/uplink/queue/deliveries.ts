/** Deliveries, as the API reads and changes them. */
import type { InvalidField } from "./delivery-filter.ts";
import { type DeliveryPage, type DeliveryQuery, listAcross, listDeliveries } from "./delivery-lists.ts";
import type { DeliveryCounts, DeliveryDetail } from "./delivery-queries.ts";
import { countDeliveries, type Delivery, getDelivery } from "./delivery-queries.ts";
import type { DeliveryQueues } from "./delivery-queues.ts";
import { findMessage, type MessageDeliveries } from "./message-deliveries.ts";
import { type NotRedelivered, retryDelivery } from "./redelivery.ts";

export class Deliveries {
  constructor(private readonly queues: DeliveryQueues) {}

  async count(webhookId: string): Promise<DeliveryCounts> {
    const { discarded } = await this.queues.ledgerOf(webhookId);
    return countDeliveries(this.queues.of(webhookId), discarded);
  }

  list(webhookId: string, query: DeliveryQuery): Promise<DeliveryPage | InvalidField> {
    return listDeliveries(this.queues, webhookId, query);
  }

  listAcross(webhookIds: readonly string[], query: DeliveryQuery): Promise<DeliveryPage | InvalidField> {
    return listAcross(this.queues, webhookIds, query);
  }

  get(webhookId: string, messageId: string): Promise<DeliveryDetail | "not_found"> {
    return getDelivery(this.queues.of(webhookId), webhookId, messageId);
  }

  /** Returns the message with its deliveries to these webhooks. */
  ofMessage(webhookIds: readonly string[], messageId: string): Promise<MessageDeliveries | "not_found"> {
    return findMessage((webhookId) => this.queues.of(webhookId), webhookIds, messageId);
  }

  retry(webhookId: string, messageId: string): Promise<Delivery | NotRedelivered> {
    return retryDelivery(this.queues.of(webhookId), webhookId, messageId);
  }

  /** Ends a pause of the calls. */
  resume(webhookId: string): Promise<void> {
    return this.queues.of(webhookId).endPause();
  }

  /** Drops all deliveries of a removed webhook. */
  drop(webhookId: string): Promise<void> {
    return this.queues.drop(webhookId);
  }
}
