import type { StoreLog } from "../log.ts";
import { createProcessLeases } from "../process-leases.ts";
import { PING_SECONDS, type Store } from "../store.ts";
import { Watchers } from "../watchers.ts";
import { sqliteCounters } from "./counters.ts";
import { Database, type DatabaseOptions, isOutage } from "./database.ts";
import { sqliteDeliveryIndex } from "./delivery-index.ts";
import { sqliteExpiringKeys } from "./expiring-keys.ts";
import { sqliteIncoming } from "./incoming.ts";
import { sqliteLedgers } from "./ledgers.ts";
import { sqliteQueues } from "./queues.ts";
import { sqliteRecords } from "./records.ts";
import { sqliteSeries } from "./series.ts";

/** Opens the store on SQLite, with its file in `dataDir`, for one process at a time. */
export async function openSqliteStore(options: DatabaseOptions): Promise<Store> {
  return createSqliteStore(await Database.open(options), options.log);
}

/** Creates the store on an open database, which it closes. */
export function createSqliteStore(database: Database, log: StoreLog): Store {
  const watchers = new Watchers(log);
  const expiringKeys = sqliteExpiringKeys(database);
  return {
    kind: "embedded",
    ping: () => expiringKeys.put("ping", "", PING_SECONDS),
    isOutage,
    bind: () => {}, // No other store can replace the file that this process holds open.
    records: (collection) => sqliteRecords(database, watchers, collection),
    expiringKeys,
    counters: sqliteCounters(database),
    ledgers: sqliteLedgers(database),
    deliveryIndex: sqliteDeliveryIndex(database),
    incoming: (clientId) => sqliteIncoming(database, clientId),
    series: sqliteSeries(database),
    leases: createProcessLeases(watchers),
    queues: sqliteQueues(database.connection, log),
    capacity: () => database.capacity(),
    warnings: [],
    close: () => database.close(),
  };
}
