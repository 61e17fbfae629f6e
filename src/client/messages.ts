/** Publishing: one message, many in one call, or stored for later. */
import type { Transport } from "./transport.ts";
import type {
  ActOptions,
  BatchResult,
  CallOptions,
  MessageInput,
  MessageState,
  PublishResult,
  StoredPublish,
} from "./types.ts";

const RESPOND_ASYNC = { prefer: "respond-async" };

export class Messages {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Publishes a message and resolves when the broker has it. */
  async publish(message: Omit<MessageInput, "sendAt">, options?: ActOptions): Promise<PublishResult> {
    const { data } = await this.#transport.api.POST("/v1/messages", {
      body: message as Required<MessageInput>,
      ...this.#transport.settings(options),
    });
    return data as PublishResult;
  }

  /** Stores a message; the bridge publishes it once the broker is available, or at `sendAt`. */
  async publishLater(message: MessageInput, options?: ActOptions): Promise<StoredPublish> {
    const { data } = await this.#transport.api.POST("/v1/messages", {
      body: message as Required<MessageInput>,
      headers: RESPOND_ASYNC,
      ...this.#transport.settings(options),
    });
    return data as StoredPublish;
  }

  /** Returns the state of a stored message, or a received message with its deliveries. */
  async get(id: string, options?: CallOptions): Promise<MessageState> {
    const { data } = await this.#transport.api.GET("/v1/messages/{id}", {
      params: { path: { id } },
      ...this.#transport.settings(options),
    });
    return data!;
  }

  /** Cancels a stored message that is not yet published. */
  async cancel(id: string, options?: CallOptions): Promise<void> {
    await this.#transport.api.DELETE("/v1/messages/{id}", {
      params: { path: { id } },
      ...this.#transport.settings(options),
    });
  }

  /** Publishes up to 1,000 messages. A refused one does not affect the others: look at each result. */
  async batch(messages: Omit<MessageInput, "sendAt">[], options?: ActOptions): Promise<BatchResult[]> {
    const { data } = await this.#transport.api.POST("/v1/messages/batch", {
      body: { messages },
      ...this.#transport.settings(options),
    });
    return (data as { results: BatchResult[] }).results;
  }
}
