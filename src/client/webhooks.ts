/** Registrations of webhooks. */
import { PageList } from "./pages.ts";
import { parsePulled } from "./pulled-json.ts";
import type { Transport } from "./transport.ts";
import type {
  ActOptions,
  CallOptions,
  CreatedWebhook,
  Lease,
  MetricsQuery,
  Preview,
  PreviewResults,
  Problem,
  PulledDelivery,
  PullInput,
  Replay,
  ReplayInput,
  SampleMessage,
  Webhook,
  WebhookInput,
  WebhookMetrics,
  WebhookPatch,
  WebhooksQuery,
} from "./types.ts";

export class Webhooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Registers a webhook. Only this response and that of {@link rotateSecret} contain the signing secret. */
  async create(webhook: WebhookInput, options?: ActOptions): Promise<CreatedWebhook> {
    const { data } = await this.#transport.api.POST("/v1/webhooks", {
      body: webhook as Required<WebhookInput>,
      ...this.#transport.settings(options),
    });
    return data!;
  }

  /**
   * Creates the webhook with this external id, or replaces all its settings: absent fields get their defaults. The
   * result has a `secret` if the webhook is new.
   */
  async put(externalId: string, webhook: WebhookInput, options?: CallOptions): Promise<Webhook & { secret?: string }> {
    const { data } = await this.#transport.api.PUT("/v1/webhooks/external/{externalId}", {
      params: { path: { externalId } },
      body: webhook as Required<WebhookInput>,
      ...this.#transport.settings(options),
    });
    return data!;
  }

  list(query: WebhooksQuery = {}, options?: CallOptions): PageList<Webhook> {
    return new PageList(query.after, async (after) => {
      const { data } = await this.#transport.api.GET("/v1/webhooks", {
        params: { query: { ...query, after } },
        ...this.#transport.settings(options),
      });
      return data!;
    });
  }

  async get(id: string, options?: CallOptions): Promise<Webhook> {
    const { data } = await this.#transport.api.GET("/v1/webhooks/{id}", this.#one(id, options));
    return data!;
  }

  /** Returns the deliveries and attempts of a webhook over time. */
  async metrics(id: string, query: MetricsQuery = {}, options?: CallOptions): Promise<WebhookMetrics> {
    const { data } = await this.#transport.api.GET("/v1/webhooks/{id}/metrics", {
      params: { path: { id }, query },
      ...this.#transport.settings(options),
    });
    return data!;
  }

  /** Changes the given fields; null removes an optional one. */
  async update(id: string, patch: WebhookPatch, options?: CallOptions): Promise<Webhook> {
    const { data } = await this.#transport.api.PATCH("/v1/webhooks/{id}", { body: patch, ...this.#one(id, options) });
    return data!;
  }

  /** Deletes a webhook and drops its waiting deliveries. */
  async delete(id: string, options?: CallOptions): Promise<void> {
    await this.#transport.api.DELETE("/v1/webhooks/{id}", this.#one(id, options));
  }

  /** Stops deliveries; messages keep collecting. */
  async pause(id: string, options?: ActOptions): Promise<Webhook> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/pause", this.#one(id, options));
    return data!;
  }

  /** Resumes deliveries, also of a disabled webhook. */
  async resume(id: string, options?: ActOptions): Promise<Webhook> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/resume", this.#one(id, options));
    return data!;
  }

  /** Sends a test event through the queue of the webhook; returns the id of its delivery. */
  async test(id: string, options?: ActOptions): Promise<{ messageId: string }> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/test", this.#one(id, options));
    return data!;
  }

  /** Replaces the signing secret; for `graceSeconds` requests are signed with the old one, too. */
  async rotateSecret(
    id: string,
    rotation: { graceSeconds?: number; secret?: string } = {},
    options?: ActOptions,
  ): Promise<CreatedWebhook> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/rotate-secret", {
      body: rotation as Required<typeof rotation>,
      ...this.#one(id, options),
    });
    return data!;
  }

  /** Returns the request that a webhook would receive for a message; nothing is stored or sent. */
  async preview(webhook: WebhookInput, message: SampleMessage, options?: ActOptions): Promise<Preview> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/preview", {
      body: { webhook: webhook as Required<WebhookInput>, message: message as Required<SampleMessage> },
      ...this.#transport.settings(options),
    });
    return data as Preview;
  }

  /** Previews up to 50 messages: one result for each, in order; `"code" in result` if the message was refused. */
  async previewAll(
    webhook: WebhookInput,
    messages: SampleMessage[],
    options?: ActOptions,
  ): Promise<(Preview | Problem)[]> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/preview", {
      body: { webhook: webhook as Required<WebhookInput>, messages },
      ...this.#transport.settings(options),
    });
    return (data as PreviewResults).results;
  }

  /** Delivers again all deliveries of a status and a time range, in the background. */
  async replay(id: string, range: ReplayInput, options?: ActOptions): Promise<Replay> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/replay", {
      body: range,
      ...this.#one(id, options),
    });
    return data as Replay;
  }

  /** Counts the deliveries that {@link replay} would begin with; changes nothing. */
  async countReplay(id: string, range: ReplayInput, options?: ActOptions): Promise<number> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/replay", {
      body: { ...range, dryRun: true },
      ...this.#one(id, options),
    });
    return (data as { count: number }).count;
  }

  async getReplay(id: string, replayId: string, options?: CallOptions): Promise<Replay> {
    const { data } = await this.#transport.api.GET("/v1/webhooks/{id}/replays/{replayId}", {
      params: { path: { id, replayId } },
      ...this.#transport.settings(options),
    });
    return data!;
  }

  async cancelReplay(id: string, replayId: string, options?: CallOptions): Promise<void> {
    await this.#transport.api.DELETE("/v1/webhooks/{id}/replays/{replayId}", {
      params: { path: { id, replayId } },
      ...this.#transport.settings(options),
    });
  }

  /** Takes deliveries of a webhook of `type: "pull"`; `Causeway.pull` iterates over them. */
  async pull(id: string, input: PullInput = {}, options?: ActOptions): Promise<PulledDelivery[]> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/pull", {
      body: input as Required<PullInput>,
      ...this.#one(id, options),
      parseAs: "text",
    });
    return parsePulled(data as unknown as string);
  }

  /** Ends deliveries as succeeded; `unknown` has the ids of those whose lease has run out. */
  async ack(id: string, items: readonly Lease[], options?: ActOptions): Promise<{ acked: number; unknown: string[] }> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/ack", {
      body: { items: items.map(leaseOf) },
      ...this.#one(id, options),
    });
    return data!;
  }

  /** Returns deliveries, to be taken again after a delay, by default at once. */
  async nack(
    id: string,
    items: readonly Lease[],
    delaySeconds = 0,
    options?: ActOptions,
  ): Promise<{ nacked: number; unknown: string[] }> {
    const { data } = await this.#transport.api.POST("/v1/webhooks/{id}/nack", {
      body: { items: items.map(leaseOf), delaySeconds },
      ...this.#one(id, options),
    });
    return data!;
  }

  #one(id: string, options: ActOptions | undefined) {
    return { params: { path: { id } }, ...this.#transport.settings(options) };
  }
}

function leaseOf({ messageId, leaseToken }: Lease): Lease {
  return { messageId, leaseToken };
}
