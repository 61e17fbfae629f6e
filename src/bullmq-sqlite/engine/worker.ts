/** The engine's thread: owns the database file and runs one batch at a time. */
import { parentPort, workerData } from "node:worker_threads";
import { runBatch } from "./batch.ts";
import { Database } from "./database.ts";
import { classify, EngineError, toWire } from "./errors.ts";
import { Housekeeping } from "./housekeeping.ts";
import type { FromThread, ThreadOptions, ToThread } from "./protocol.ts";
import { type ProcedureModule, Thread } from "./thread.ts";

const port = parentPort!;
const send = (message: FromThread) => port.postMessage(message);

async function open(options: ThreadOptions): Promise<void> {
  const lock = takeLock(options.file);
  let db: Database | undefined;
  try {
    db = Database.open(options.file, options.synchronous);
    const thread = new Thread(db);
    for (const url of options.modules) {
      const { default: module } = (await import(url)) as { default: ProcedureModule };
      thread.add(module);
    }
    serve(thread, lock);
  } catch (error) {
    db?.close();
    lock.close();
    throw error;
  }
}

function serve(thread: Thread, lock: Database): void {
  const { db } = thread;
  const housekeeping = new Housekeeping(db);

  port.on("message", (message: ToThread) => {
    if (message.type === "batch") {
      send({ type: "done", ...runBatch(thread, message.operations) });
      housekeeping.touch();
      return;
    }
    housekeeping.stop();
    try {
      db.rows("PRAGMA wal_checkpoint(TRUNCATE)");
    } catch {
      // The next start reads the write-ahead log.
    }
    db.close();
    lock.close();
    send({ type: "closed" });
    port.close();
  });
}

/**
 * Two engines on one file would each trust what they keep in memory. The lock is a file of its own, because a lock on
 * the database itself would keep out readers such as the `sqlite3` command and Litestream.
 */
function takeLock(file: string): Database {
  try {
    return Database.lock(`${file}-lock`);
  } catch (error) {
    if (error instanceof EngineError && error.code === "LOCKED") {
      throw new EngineError("LOCKED", `The database ${file} is in use by another process.`, { cause: error });
    }
    throw error;
  }
}

try {
  await open(workerData as ThreadOptions);
  send({ type: "open" });
} catch (error) {
  send({ type: "failed", error: toWire(classify(error)) });
  port.close();
}
