import { createSqliteBackend, type SqliteConnection, type SqliteQueueBackend } from "../../bullmq-sqlite/index.ts";
import { ErrorDigest, type StoreLog } from "../log.ts";
import { EVENT_STREAM_LENGTH, queuesOn } from "../queues.ts";
import type { Queues } from "../store.ts";

export function sqliteQueues(connection: SqliteConnection, log: StoreLog): Queues {
  const digest = new ErrorDigest(log);
  return queuesOn<SqliteQueueBackend, SqliteConnection>({
    factory: createSqliteBackend,
    queueOptions: { connection, streams: { events: { maxLen: EVENT_STREAM_LENGTH } } },
    workerOptions: { connection },
    onError: (error, queue) => digest.report(error, queue),
  });
}
