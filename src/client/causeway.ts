/** The client of one bridge. */
import { Deliveries } from "./deliveries.ts";
import { Hooks } from "./hooks.ts";
import { Keys } from "./keys.ts";
import { Messages } from "./messages.ts";
import { type MessageSource, type PublishManyOptions, publishMany } from "./publish-many.ts";
import { type Pulled, type PullOptions, pull } from "./pull.ts";
import { Requests } from "./requests.ts";
import { Session } from "./session.ts";
import { type StreamOptions, stream } from "./stream.ts";
import { Topics } from "./topics.ts";
import { Transport } from "./transport.ts";
import type { AllMetrics, BatchResult, CallOptions, CloudEvent, MetricsQuery, Status } from "./types.ts";
import { Webhooks } from "./webhooks.ts";

export interface CausewayOptions {
  /** Address of the bridge, such as `http://127.0.0.1:8080`, with its base path if it has one. */
  url: string;
  /** Absent in a browser that signs in with {@link Session.signIn}: the cookie of its session is sent. */
  apiKey?: string | undefined;
  /** Default: the global `fetch`. */
  fetch?: typeof fetch;
  /** How often a call is repeated after 429, 503 or a lost connection. Default: 3. */
  retries?: number;
  /** Limit of a whole call in milliseconds, its retries included. Default: 60,000. */
  timeoutMs?: number;
}

export class Causeway {
  readonly messages: Messages;
  readonly topics: Topics;
  readonly requests: Requests;
  readonly webhooks: Webhooks;
  readonly deliveries: Deliveries;
  readonly hooks: Hooks;
  readonly keys: Keys;
  readonly session: Session;
  readonly #transport: Transport;

  constructor({ url, apiKey, fetch, retries = 3, timeoutMs = 60_000 }: CausewayOptions) {
    // Called as a method of another object, the `fetch` of browsers refuses.
    const send: typeof globalThis.fetch = (...request) => (fetch ?? globalThis.fetch)(...request);
    this.#transport = new Transport({ url, apiKey, fetch: send, retries, timeoutMs });
    this.messages = new Messages(this.#transport);
    this.topics = new Topics(this.#transport);
    this.requests = new Requests(this.#transport);
    this.webhooks = new Webhooks(this.#transport);
    this.deliveries = new Deliveries(this.#transport);
    this.hooks = new Hooks(this.#transport);
    this.keys = new Keys(this.#transport);
    this.session = new Session(this.#transport);
  }

  /** Returns the connections and the state of the bridge. */
  async status(options?: CallOptions): Promise<Status> {
    const { data } = await this.#transport.api.GET("/v1/status", this.#transport.settings(options));
    return data!;
  }

  /** Returns deliveries and messages over time, and the totals of each webhook. */
  async metrics(query: MetricsQuery = {}, options?: CallOptions): Promise<AllMetrics> {
    const { data } = await this.#transport.api.GET("/v1/metrics", {
      params: { query },
      ...this.#transport.settings(options),
    });
    return data!;
  }

  /**
   * Yields the messages that match one of the filters, as they arrive, and connects again when the connection is lost.
   * Nothing is stored: messages in between are missed. Use a webhook for messages that must not be.
   */
  stream(filters: string[], options?: StreamOptions): AsyncGenerator<CloudEvent, void, undefined> {
    return stream(this.#transport, filters, options);
  }

  /**
   * Yields the deliveries of a webhook of `type: "pull"` as they arrive. Call `ack()` of each once it is processed, or
   * `nack()`; a delivery with neither comes again when its lease runs out.
   */
  pull(webhookId: string, options?: PullOptions): AsyncGenerator<Pulled, void, undefined> {
    return pull(this.webhooks, webhookId, options);
  }

  /**
   * Publishes any number of messages and yields the result of each, in order. Take the results as you send: at most
   * 1,000 messages are under way.
   */
  publishMany(messages: MessageSource, options?: PublishManyOptions): AsyncGenerator<BatchResult, void, undefined> {
    return publishMany(this.#transport, messages, options);
  }
}
