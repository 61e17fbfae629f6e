/** Inbound hooks: URLs that other services call. */
import { PageList } from "./pages.ts";
import type { Transport } from "./transport.ts";
import type {
  ActOptions,
  CallOptions,
  Hook,
  HookInput,
  HookPatch,
  HookPreview,
  ListQuery,
  SampleCall,
} from "./types.ts";

export class Hooks {
  readonly #transport: Transport;

  constructor(transport: Transport) {
    this.#transport = transport;
  }

  /** Creates a hook. The `path` to call contains a secret token. */
  async create(hook: HookInput, options?: ActOptions): Promise<Hook> {
    const { data } = await this.#transport.api.POST("/v1/hooks", {
      body: hook as Required<HookInput>,
      ...this.#transport.settings(options),
    });
    return data!;
  }

  /** Returns the message that a call of such a hook would publish; nothing is stored or published. */
  async preview(hook: HookInput, call: SampleCall = {}, options?: CallOptions): Promise<HookPreview> {
    const { data } = await this.#transport.api.POST("/v1/hooks/preview", {
      body: { hook: hook as Required<HookInput>, call },
      ...this.#transport.settings(options),
    });
    return data!;
  }

  /** Creates the hook with this external id, or replaces all its settings: absent fields get their defaults. */
  async put(externalId: string, hook: HookInput, options?: CallOptions): Promise<Hook> {
    const { data } = await this.#transport.api.PUT("/v1/hooks/external/{externalId}", {
      params: { path: { externalId } },
      body: hook as Required<HookInput>,
      ...this.#transport.settings(options),
    });
    return data!;
  }

  /** The hooks that the key created; with the scope `admin` all. */
  list(query: ListQuery = {}, options?: CallOptions): PageList<Hook> {
    return new PageList(query.after, async (after) => {
      const { data } = await this.#transport.api.GET("/v1/hooks", {
        params: { query: { ...query, after } },
        ...this.#transport.settings(options),
      });
      return data!;
    });
  }

  async get(id: string, options?: CallOptions): Promise<Hook> {
    const { data } = await this.#transport.api.GET("/v1/hooks/{id}", this.#one(id, options));
    return data!;
  }

  /** Changes the given fields; null removes an optional one. `verify` is replaced as a whole. */
  async update(id: string, patch: HookPatch, options?: CallOptions): Promise<Hook> {
    const { data } = await this.#transport.api.PATCH("/v1/hooks/{id}", { body: patch, ...this.#one(id, options) });
    return data!;
  }

  /** Deletes a hook: its URL returns 404 from now on. */
  async delete(id: string, options?: CallOptions): Promise<void> {
    await this.#transport.api.DELETE("/v1/hooks/{id}", this.#one(id, options));
  }

  #one(id: string, options?: CallOptions) {
    return { params: { path: { id } }, ...this.#transport.settings(options) };
  }
}
