/** Topics as resources: raw payloads and retained messages. */
import { type Page, PageList } from "./pages.ts";
import type { Transport } from "./transport.ts";
import type { ActOptions, CallOptions, PublishQuery, PublishResult, RetainedQuery, RetainedTopic } from "./types.ts";

/** A payload as it is published: text as UTF-8, bytes unchanged. */
export type RawPayload = string | Uint8Array;

export interface TopicOptions extends ActOptions, Pick<PublishQuery, "qos" | "expirySeconds"> {
  /** MQTT 5 content type. */
  contentType?: string;
}

export interface RetainedPage extends Page<RetainedTopic> {
  /** Whether the broker holds more topics under this filter than the bridge collects. */
  truncated: boolean;
}

/** The retained message of a topic. */
export class RetainedMessage {
  readonly topic: string;
  readonly payload: Uint8Array;
  readonly contentType: string;
  readonly qos: number;
  /** A hash of the message, which changes whenever the message does. */
  readonly etag: string;
  readonly userProperties: Record<string, string[]> = {};

  constructor(topic: string, payload: Uint8Array, headers: Headers) {
    this.topic = topic;
    this.payload = payload;
    this.contentType = headers.get("content-type") ?? "application/octet-stream";
    this.qos = Number(headers.get("mqtt-qos"));
    this.etag = headers.get("etag") ?? "";
    for (const property of headers.get("mqtt-user-property")?.split(", ") ?? []) {
      const [name, value] = property.split("=").map(decodeURIComponent) as [string, string];
      this.userProperties[name] = [...(this.userProperties[name] ?? []), value];
    }
  }

  text(): string {
    return new TextDecoder().decode(this.payload);
  }

  json<T = unknown>(): T {
    return JSON.parse(this.text()) as T;
  }
}

export class Topics {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Lists the topics under a filter that hold a retained message, without the payloads. */
  list(query: RetainedQuery, options?: CallOptions): PageList<RetainedTopic, RetainedPage> {
    return new PageList(query.after, async (after) => {
      const { data } = await this.#transport.api.GET("/v1/topics", {
        params: { query: { ...query, after } },
        ...this.#transport.settings(options),
      });
      return data!;
    });
  }

  /** Reads the retained message; rejects with `no_retained_message` if there is none. */
  async get(topic: string, options?: CallOptions): Promise<RetainedMessage> {
    const { data, response } = await this.#transport.api.GET("/v1/topics/{topic}", {
      params: { path: { topic } },
      parseAs: "arrayBuffer",
      ...this.#transport.settings(options),
    });
    return new RetainedMessage(topic, new Uint8Array(data ?? new ArrayBuffer(0)), response.headers);
  }

  /** Publishes a raw payload. */
  async publish(topic: string, payload: RawPayload, options: TopicOptions = {}): Promise<PublishResult> {
    const { data } = await this.#transport.api.POST("/v1/topics/{topic}", this.#raw(topic, payload, options));
    return data!;
  }

  /** Publishes a raw payload as the retained message; an empty one clears it. */
  async retain(topic: string, payload: RawPayload, options: TopicOptions = {}): Promise<PublishResult> {
    const { data } = await this.#transport.api.PUT("/v1/topics/{topic}", this.#raw(topic, payload, options));
    return data!;
  }

  /** Clears the retained message. */
  async clear(
    topic: string,
    { qos, ...options }: CallOptions & Pick<PublishQuery, "qos"> = {},
  ): Promise<PublishResult> {
    const { data } = await this.#transport.api.DELETE("/v1/topics/{topic}", {
      params: { path: { topic }, query: { qos } },
      ...this.#transport.settings(options),
    });
    return data!;
  }

  #raw(topic: string, payload: RawPayload, { qos, expirySeconds, contentType, ...options }: TopicOptions) {
    return {
      params: { path: { topic }, query: { qos, expirySeconds } },
      body: typeof payload === "string" ? new TextEncoder().encode(payload) : payload,
      bodySerializer: (bytes: unknown) => bytes,
      // Without a type of yours the message has none; null removes the default of openapi-fetch.
      headers: { "content-type": contentType ?? null },
      ...this.#transport.settings(options),
    };
  }
}
