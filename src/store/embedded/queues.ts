import { PostgresConnection, PostgresQueueBackend, runMigrations } from "bullmq";
import { ErrorDigest, type StoreLog } from "../log.ts";
import { EVENT_STREAM_LENGTH, queuesOn } from "../queues.ts";
import type { Queues } from "../store.ts";
import type { Database } from "./database.ts";
import { PglitePool } from "./pool.ts";

/**
 * Interval at which an idle worker polls for jobs without a notification. BullMQ's 5 s cover notifications lost on a
 * network; in-process none is lost, and a thousand workers polling every 5 s use half a core.
 */
const IDLE_POLL_SECONDS = 60;

/** Skips the schema check: the store migrates when it opens, and checks for a thousand queues would take seconds. */
class MigratedConnection extends PostgresConnection {
  override async waitUntilReady(): Promise<void> {}
}

/** Migrates BullMQ's schema and makes it the first one in the search path. */
export async function embeddedQueues(database: Database, log: StoreLog): Promise<Queues> {
  const pool = new PglitePool(database);
  const client = await pool.connect();
  await runMigrations(client);
  client.release();
  await database.set("SET search_path TO bullmq, public");

  const digest = new ErrorDigest(log);
  return queuesOn<PostgresQueueBackend, PglitePool>({
    factory: (name, opts) => new PostgresQueueBackend(new MigratedConnection(opts.connection), name, opts),
    queueOptions: { connection: pool, streams: { events: { maxLen: EVENT_STREAM_LENGTH } } },
    workerOptions: { connection: pool, drainDelay: IDLE_POLL_SECONDS },
    onError: (err, queue) => digest.report(err, queue),
  });
}
