import { PostgresConnection, PostgresQueueBackend, runMigrations } from "bullmq";
import { ErrorDigest, type StoreLog } from "../log.ts";
import { EVENT_STREAM_LENGTH, queuesOn } from "../queues.ts";
import type { Queues } from "../store.ts";
import type { Database } from "./database.ts";
import { PglitePool } from "./pool.ts";

/**
 * How long an idle worker waits before it looks for jobs without having been told of any. BullMQ's 5 s are there for
 * notices lost on a network; in-process none is lost, and a thousand workers polling every 5 s fill half a core.
 */
const IDLE_POLL_SECONDS = 60;

/** The schema is migrated when the store opens; asking again for each of a thousand queues takes seconds. */
class MigratedConnection extends PostgresConnection {
  override async waitUntilReady(): Promise<void> {}
}

/** Brings BullMQ's schema up to date and makes it the one that unqualified names mean. */
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
