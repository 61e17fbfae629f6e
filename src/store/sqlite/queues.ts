import { createSqliteBackend, type SqliteConnection, type SqliteQueueBackend } from "../../bullmq-sqlite/index.ts";
import { ErrorDigest, type StoreLog } from "../log.ts";
import { queuesOn } from "../queues.ts";
import type { Queues } from "../store.ts";

export function sqliteQueues(connection: SqliteConnection, log: StoreLog): Queues {
  const digest = new ErrorDigest(log);
  return queuesOn<SqliteQueueBackend, SqliteConnection>({
    factory: createSqliteBackend,
    // The bridge reads no events; each would be a row to write and to delete.
    queueOptions: { connection, streams: { events: { maxLen: 0 } } },
    workerOptions: { connection },
    onError: (error, queue) => digest.report(error, queue),
  });
}
