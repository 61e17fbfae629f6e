import { openEmbeddedStore } from "./embedded/open.ts";
import type { StoreLog } from "./log.ts";
import { openRedisStore } from "./redis/open.ts";
import { type Store, StoreConfigError } from "./store.ts";

export interface StoreOptions {
  /** `redis://` or `rediss://`; without it, the embedded store in `dataDir`. */
  storeUrl?: string;
  dataDir: string;
  log: StoreLog;
  /** Aborts the wait for an unavailable Redis. */
  signal?: AbortSignal;
}

/** Opens the configured store. */
export async function openStore({ storeUrl, dataDir, log, signal }: StoreOptions): Promise<Store> {
  if (!storeUrl) return openEmbeddedStore({ dataDir, log });
  if (/^rediss?:\/\//i.test(storeUrl)) return openRedisStore({ url: storeUrl, log, signal });
  // The message omits the value, which may contain a password.
  throw new StoreConfigError(
    "STORE_URL must start with redis:// or rediss://; leave it out to use the embedded store in the data directory.",
  );
}
