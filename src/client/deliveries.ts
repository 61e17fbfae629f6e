/** Deliveries to webhooks. */
import { PageList } from "./pages.ts";
import type { Transport } from "./transport.ts";
import type {
  ActOptions,
  CallOptions,
  DeliveriesQuery,
  Delivery,
  DeliveryDetail,
  WebhookDeliveriesQuery,
} from "./types.ts";

export class Deliveries {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Lists the deliveries of all webhooks, newest first. */
  list(query: DeliveriesQuery = {}, options?: CallOptions): PageList<Delivery> {
    return new PageList(query.after, async (after) => {
      const { data } = await this.#transport.api.GET("/v1/deliveries", {
        params: { query: { ...query, after } },
        ...this.#transport.settings(options),
      });
      return data!;
    });
  }

  /** Lists the deliveries of one webhook by status, newest first within each status. */
  listOf(webhookId: string, query: WebhookDeliveriesQuery = {}, options?: CallOptions): PageList<Delivery> {
    return new PageList(query.after, async (after) => {
      const { data } = await this.#transport.api.GET("/v1/webhooks/{id}/deliveries", {
        params: { path: { id: webhookId }, query: { ...query, after } },
        ...this.#transport.settings(options),
      });
      return data!;
    });
  }

  /** Returns a delivery with its message and the log of its attempts. */
  async get(webhookId: string, messageId: string, options?: CallOptions): Promise<DeliveryDetail> {
    const { data } = await this.#transport.api.GET("/v1/webhooks/{id}/deliveries/{messageId}", {
      params: { path: { id: webhookId, messageId } },
      ...this.#transport.settings(options),
    });
    return data!;
  }

  /** Delivers the message again, at once. */
  async retry(webhookId: string, messageId: string, options?: ActOptions): Promise<Delivery> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/deliveries/{messageId}/retry", {
      params: { path: { id: webhookId, messageId } },
      ...this.#transport.settings(options),
    });
    return data!;
  }
}
