import { StoreConfigError } from "./errors.ts";
import type { StoreLog } from "./log.ts";
import { openRedisStore } from "./redis/open.ts";
import type { Database } from "./sqlite/database.ts";
import { createSqliteStore, openSqliteStore } from "./sqlite/open.ts";
import type { Store } from "./store.ts";

export interface StoreOptions {
  /** `redis://` or `rediss://`; without it, the embedded store in `dataDir`. */
  storeUrl?: string;
  dataDir: string;
  /** The open file of the embedded store, if another part uses it too; without it, the store opens its own. */
  database?: Database;
  log: StoreLog;
  /** Aborts the wait for an unavailable Redis. */
  signal?: AbortSignal;
}

/** Opens the configured store. */
export async function openStore({ storeUrl, dataDir, database, log, signal }: StoreOptions): Promise<Store> {
  if (!storeUrl) return database ? createSqliteStore(database, log) : openSqliteStore({ dataDir, log });
  if (/^rediss?:\/\//i.test(storeUrl)) return openRedisStore({ url: storeUrl, log, signal });
  // The message omits the value, which may contain a password.
  throw new StoreConfigError(
    "STORE_URL must start with redis:// or rediss://; leave it out to use the embedded store in the data directory.",
  );
}
