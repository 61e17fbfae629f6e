/** Deliveries, as the API reads and changes them. */
import type { InvalidField } from "./delivery-filter.ts";
import type { DeliveryQueues } from "./delivery-queues.ts";
import { type DeliveryPage, type DeliveryQuery, listAcross, listDeliveries } from "./lists/delivery-lists.ts";
import type { DeliveryCounts, DeliveryDetail } from "./lists/delivery-queries.ts";
import { countDeliveries, type Delivery, getDelivery } from "./lists/delivery-queries.ts";
import { findMessage, type MessageDeliveries } from "./lists/message-deliveries.ts";
import { type NotRedelivered, retryDelivery } from "./redelivery.ts";

/** Queues whose expired leases are looked for at once. */
const AT_ONCE = 50;

export class Deliveries {
  /** @param isPulled whether consumers take the deliveries of this webhook */
  constructor(
    private readonly queues: DeliveryQueues,
    private readonly isPulled: (webhookId: string) => boolean,
  ) {}

  async count(webhookId: string): Promise<DeliveryCounts> {
    await this.#endExpired([webhookId]);
    const { discarded } = await this.queues.ledgerOf(webhookId);
    return countDeliveries(this.queues.of(webhookId), discarded);
  }

  async list(webhookId: string, query: DeliveryQuery): Promise<DeliveryPage | InvalidField> {
    await this.#endExpired([webhookId]);
    return listDeliveries(this.queues, webhookId, query);
  }

  async listAcross(webhookIds: readonly string[], query: DeliveryQuery): Promise<DeliveryPage | InvalidField> {
    await this.#endExpired(webhookIds);
    return listAcross(this.queues, webhookIds, query);
  }

  async get(webhookId: string, messageId: string): Promise<DeliveryDetail | "not_found"> {
    await this.#endExpired([webhookId]);
    return getDelivery(this.queues.of(webhookId), webhookId, messageId);
  }

  /** Returns the message with its deliveries to these webhooks. */
  async ofMessage(webhookIds: readonly string[], messageId: string): Promise<MessageDeliveries | "not_found"> {
    await this.#endExpired(webhookIds);
    return findMessage((webhookId) => this.queues.of(webhookId), webhookIds, messageId);
  }

  async retry(webhookId: string, messageId: string): Promise<Delivery | NotRedelivered> {
    await this.#endExpired([webhookId]);
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

  /** No process watches the leases of a webhook that is not pulled: an expired one is noticed here, when it is read. */
  async #endExpired(webhookIds: readonly string[]): Promise<void> {
    const pulled = webhookIds.filter(this.isPulled);
    for (let i = 0; i < pulled.length; i += AT_ONCE) {
      await Promise.all(pulled.slice(i, i + AT_ONCE).map((id) => this.queues.of(id).leases.recoverExpired()));
    }
  }
}
