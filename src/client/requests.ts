/** Request and response with a device. */
import type { Transport } from "./transport.ts";
import type { ActOptions, CallOptions, RequestInput, RequestState, Responded } from "./types.ts";

const DEFAULT_TIMEOUT_SECONDS = 10;
/** Time for the connection, the subscription and the publish, beyond the time of the device. */
const EXTRA_MS = 20_000;

export class Requests {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Sends a request and resolves with the device's response; rejects with `request_timeout` without one. */
  async send(request: Omit<RequestInput, "expirySeconds">, options: ActOptions = {}): Promise<Responded> {
    const deviceMs = (request.timeoutSeconds ?? DEFAULT_TIMEOUT_SECONDS) * 1_000;
    const timeoutMs = options.timeoutMs ?? Math.max(this.#transport.timeoutMs, deviceMs + EXTRA_MS);
    const { data } = await this.#transport.api.POST("/v1/requests", {
      body: request as Required<RequestInput>,
      ...this.#transport.settings({ ...options, timeoutMs }),
    });
    return data as Responded;
  }

  /** Stores a request for a device that may be offline; {@link get} returns its response later. */
  async sendLater(request: Omit<RequestInput, "timeoutSeconds">, options?: ActOptions): Promise<RequestState> {
    const { data } = await this.#transport.api.POST("/v1/requests", {
      body: request as Required<RequestInput>,
      headers: { prefer: "respond-async" },
      ...this.#transport.settings(options),
    });
    return data as RequestState;
  }

  /** Returns the state of a stored request, with the device's response if there is one. */
  async get(id: string, options?: CallOptions): Promise<RequestState> {
    const { data } = await this.#transport.api.GET("/v1/requests/{id}", {
      params: { path: { id } },
      ...this.#transport.settings(options),
    });
    return data!;
  }

  /** Cancels a stored request that has no response yet. */
  async cancel(id: string, options?: CallOptions): Promise<void> {
    await this.#transport.api.DELETE("/v1/requests/{id}", {
      params: { path: { id } },
      ...this.#transport.settings(options),
    });
  }
}
