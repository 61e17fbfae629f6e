/** The inbound hooks: persistent in the store, and cached in memory for their calls. */
import { type CacheLog, RecordCache } from "../store/record-cache.ts";
import type { Records } from "../store/store.ts";
import { type Hook, tokenDigest } from "./hook.ts";

export class HookRegistry extends RecordCache<Hook> {
  /** Ids by the digest of the token, and digests by the id. */
  readonly #ids = new Map<string, string>();
  readonly #digests = new Map<string, string>();

  constructor(records: Records<Hook>, log: CacheLog) {
    super(records, log, "hook");
    this.onChange((ids) => {
      for (const id of ids) this.#follow(id);
    });
  }

  byToken(token: string): Hook | undefined {
    const id = this.#ids.get(tokenDigest(token));
    return id === undefined ? undefined : this.get(id);
  }

  #follow(id: string): void {
    const known = this.#digests.get(id);
    const hook = this.get(id);
    const digest = hook && tokenDigest(hook.token);
    if (known === digest) return;
    if (known !== undefined) this.#ids.delete(known);
    if (digest === undefined) this.#digests.delete(id);
    else {
      this.#digests.set(id, digest);
      this.#ids.set(digest, id);
    }
  }
}
