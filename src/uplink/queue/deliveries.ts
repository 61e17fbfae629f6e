/** Deliveries of one webhook, as the API reads and changes them. */
import type { DeliveryCounts, DeliveryDetail, DeliveryPage, DeliveryQuery } from "./delivery-queries.ts";
import { countDeliveries, type Delivery, getDelivery, listDeliveries } from "./delivery-queries.ts";
import type { DeliveryQueues } from "./delivery-queues.ts";
import { resumeQueue } from "./queue-limiter.ts";
import { retryDelivery } from "./redelivery.ts";

export class Deliveries {
  constructor(private readonly queues: DeliveryQueues) {}

  async count(webhookId: string): Promise<DeliveryCounts> {
    const { discarded } = await this.queues.ledgerOf(webhookId);
    return countDeliveries(this.queues.of(webhookId), discarded);
  }

  /** @throws Problem that names a field of the query */
  list(webhookId: string, query: DeliveryQuery): Promise<DeliveryPage> {
    return listDeliveries(this.queues.of(webhookId), webhookId, query);
  }

  /** @throws Problem not_found */
  get(webhookId: string, messageId: string): Promise<DeliveryDetail> {
    return getDelivery(this.queues.of(webhookId), webhookId, messageId);
  }

  /** @throws Problem not_found, conflict */
  retry(webhookId: string, messageId: string): Promise<Delivery> {
    return retryDelivery(this.queues.of(webhookId), webhookId, messageId);
  }

  /** Ends a pause of the calls. */
  resume(webhookId: string): Promise<void> {
    return resumeQueue(this.queues.of(webhookId));
  }

  /** Drops all deliveries of a removed webhook. */
  drop(webhookId: string): Promise<void> {
    return this.queues.drop(webhookId);
  }
}
