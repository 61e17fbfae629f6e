import { join, resolve } from "node:path";
import { createDirectory } from "../directory.ts";
import type { StoreLog } from "../log.ts";
import { createProcessLeases } from "../process-leases.ts";
import { PING_SECONDS, type Store, StoreConfigError } from "../store.ts";
import { Watchers } from "../watchers.ts";
import { embeddedLedgers } from "./books.ts";
import { COUNTERS_TABLE, embeddedCounters } from "./counters.ts";
import { Database, isOutage } from "./database.ts";
import { EXPIRING_KEYS_TABLE, embeddedExpiringKeys } from "./expiring-keys.ts";
import { embeddedIncoming, INCOMING_TABLE } from "./incoming.ts";
import { lockDirectory } from "./lock.ts";
import { embeddedQueues } from "./queues.ts";
import { embeddedRecords, RECORDS_TABLE } from "./records.ts";

export interface EmbeddedStoreOptions {
  dataDir: string;
  log: StoreLog;
}

/** Opens the in-process PostgreSQL (PGlite) with its files in `dataDir/store`, for one process at a time. */
export async function openEmbeddedStore({ dataDir, log }: EmbeddedStoreOptions): Promise<Store> {
  const directory = resolve(dataDir);
  await createDataDir(directory);
  const unlock = await lockDirectory(join(directory, "lock"), directory);
  let database: Database | undefined;
  try {
    database = await Database.open(join(directory, "store"), log);
    const tables = [RECORDS_TABLE, EXPIRING_KEYS_TABLE, COUNTERS_TABLE, INCOMING_TABLE];
    await database.query(`CREATE SCHEMA IF NOT EXISTS causeway; ${tables.join("; ")}`);
    return await storeOn(database, { log, unlock });
  } catch (err) {
    await database?.close().catch(() => undefined);
    await unlock();
    throw isOutage(err) ? err : cannotOpen(join(directory, "store"), err);
  }
}

async function storeOn(database: Database, { log, unlock }: { log: StoreLog; unlock: () => Promise<void> }) {
  const watchers = new Watchers(log);
  const queues = await embeddedQueues(database, log);
  const books = await embeddedLedgers(database);
  const claims = embeddedExpiringKeys(database);
  let closing: Promise<void> | undefined;
  const store: Store = {
    kind: "embedded",
    ping: () => claims.put("ping", "", PING_SECONDS),
    isOutage,
    bind: () => {}, // No other store can replace files that this process holds open.
    records: (collection) => embeddedRecords(database, watchers, collection),
    expiringKeys: claims,
    counters: embeddedCounters(database),
    ledgers: books,
    incoming: (lane) => embeddedIncoming(database, lane),
    leases: createProcessLeases(watchers),
    queues,
    warnings: [],
    close() {
      closing ??= database.close().finally(unlock);
      return closing;
    },
  };
  return store;
}

function cannotOpen(directory: string, err: unknown): StoreConfigError {
  const why = err instanceof Error ? err.message : String(err);
  return new StoreConfigError(
    `The embedded store in ${directory} cannot be opened (${why.trim()}): its files may be damaged. Restore DATA_DIR ` +
      "from a backup, or move this directory away and start once with STORE_RESET=accept, which begins an empty store.",
    { cause: err },
  );
}

/** Creates the directory with mode 0700: it holds key hashes, signing secrets and messages. */
async function createDataDir(directory: string): Promise<void> {
  try {
    await createDirectory(directory);
  } catch (err) {
    throw new StoreConfigError(`The data directory ${directory} cannot be made: ${(err as Error).message}`, {
      cause: err,
    });
  }
}
