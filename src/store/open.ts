import { openEmbeddedStore } from "./embedded/open.ts";
import type { StoreLog } from "./log.ts";
import { openRedisStore } from "./redis/open.ts";
import { type Store, StoreConfigError } from "./store.ts";

export interface StoreOptions {
  /** `redis://` or `rediss://`; without it everything is kept in `dataDir`. */
  storeUrl?: string;
  dataDir: string;
  log: StoreLog;
  /** Gives up waiting for a Redis that is not there. */
  signal?: AbortSignal;
}

/** The store that the configuration asks for. */
export async function openStore({ storeUrl, dataDir, log, signal }: StoreOptions): Promise<Store> {
  if (!storeUrl) return openEmbeddedStore({ dataDir, log });
  if (/^rediss?:\/\//i.test(storeUrl)) return openRedisStore({ url: storeUrl, log, signal });
  // The value itself may hold a password and stays out of the message.
  throw new StoreConfigError(
    "STORE_URL must start with redis:// or rediss://; leave it out to use the embedded store in the data directory.",
  );
}
