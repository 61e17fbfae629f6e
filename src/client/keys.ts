/** API keys. */
import { PageList } from "./pages.ts";
import type { Transport } from "./transport.ts";
import type {
  ActOptions,
  CallOptions,
  CreatedKey,
  Key,
  KeyInput,
  ListQuery,
  PortalSession,
  PortalSessionInput,
} from "./types.ts";

export class Keys {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Creates a key. Only this response contains the key itself. */
  async create(key: KeyInput, options?: ActOptions): Promise<CreatedKey> {
    const { data } = await this.#transport.api.POST("/v1/keys", { body: key, ...this.#transport.settings(options) });
    return data!;
  }

  list(query: ListQuery = {}, options?: CallOptions): PageList<Key> {
    return new PageList(query.after, async (after) => {
      const { data } = await this.#transport.api.GET("/v1/keys", {
        params: { query: { ...query, after } },
        ...this.#transport.settings(options),
      });
      return data!;
    });
  }

  /** Revokes a key on every instance. */
  async delete(id: string, options?: CallOptions): Promise<void> {
    await this.#transport.api.DELETE("/v1/keys/{id}", {
      params: { path: { id } },
      ...this.#transport.settings(options),
    });
  }

  /** Creates a link that opens the dashboard once with the rights of a key. Only this response contains it. */
  async createPortalSession(portal: PortalSessionInput, options?: ActOptions): Promise<PortalSession> {
    const { data } = await this.#transport.api.POST("/v1/portal-sessions", {
      body: portal as Required<PortalSessionInput>,
      ...this.#transport.settings(options),
    });
    return data!;
  }
}
