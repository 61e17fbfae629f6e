/** The session of a browser, and the rights of the caller. */
import type { Transport } from "./transport.ts";
import type { CallerRights, CallOptions } from "./types.ts";

export class Session {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Signs in with an API key: the browser keeps the cookie that the bridge sets. For a client without `apiKey`. */
  async signIn(key: string, options?: CallOptions): Promise<void> {
    await this.#transport.api.POST("/v1/session", { body: { key }, ...this.#transport.settings(options) });
  }

  /** Signs in with the token of a portal session, which is the part of its URL after `#`. It works once. */
  async signInByPortal(portalToken: string, options?: CallOptions): Promise<void> {
    await this.#transport.api.POST("/v1/session", { body: { portalToken }, ...this.#transport.settings(options) });
  }

  /** Returns the name and the rights of the caller. */
  async get(options?: CallOptions): Promise<CallerRights> {
    const { data } = await this.#transport.api.GET("/v1/session", this.#transport.settings(options));
    return data!;
  }

  /** Ends the session. */
  async signOut(options?: CallOptions): Promise<void> {
    await this.#transport.api.DELETE("/v1/session", this.#transport.settings(options));
  }
}
