/** The embedded store and broker as a crash would leave them at some moment. */
import { cpSync, readdirSync, readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { temporaryDirectory } from "./directories.ts";
import { eventually } from "./eventually.ts";

/** The binding itself: the store's connection would write to the file when it opens it. */
const Libsql = createRequire(import.meta.url)("libsql") as new (
  file: string,
) => { prepare(sql: string): { pluck(): { all(params: string[]): string[] } }; close(): void };

/** Whether the kernel has stopped every thread of a process. */
function isStopped(pid: number): boolean {
  const threads = `/proc/${pid}/task`;
  return readdirSync(threads).every((id) => /^\d+ \(.*\) T/s.test(readFileSync(join(threads, id, "stat"), "utf8")));
}

/**
 * Copies the data directory of a running process. All its threads are stopped meanwhile, so the database and its log
 * are copied as of one moment, with a transaction or a checkpoint half written if one was under way.
 * @param observe runs while the process is stopped
 */
export async function crashImage<T>(
  { pid, dataDir }: { pid: number; dataDir: string },
  observe: () => T,
): Promise<{ dataDir: string; observed: T }> {
  const copy = temporaryDirectory("image");
  process.kill(pid, "SIGSTOP");
  try {
    await eventually(() => isStopped(pid), "stopped");
    const observed = observe();
    cpSync(dataDir, copy, { recursive: true });
    return { dataDir: copy, observed };
  } finally {
    process.kill(pid, "SIGCONT");
  }
}

export interface Content {
  /** Result of `PRAGMA integrity_check` on the whole file. */
  integrity: string[];
  /** Topics of the jobs of one webhook. */
  jobs: string[];
  /** Topics of the messages that the broker keeps for sessions. */
  kept: string[];
}

/** Reads the tables of an embedded store and broker, also beside the process that uses them. */
export function contentOf(dataDir: string, webhookId: string): Content {
  const db = new Libsql(join(dataDir, "causeway.db"));
  const values = (sql: string, ...params: string[]) => db.prepare(sql).pluck().all(params);
  try {
    const jobs =
      "SELECT json_extract(data, '$.topic') FROM bullmq_job JOIN bullmq_queue ON bullmq_queue.id = queue " +
      "WHERE bullmq_queue.name = ?";
    // In this order, because a message leaves the broker only after its jobs are there.
    const kept = values("SELECT json_extract(fields, '$.topic') FROM mqtt_outgoing");
    return {
      kept,
      jobs: values(jobs, `bull:deliver-${webhookId}`),
      integrity: values("PRAGMA integrity_check"),
    };
  } finally {
    db.close();
  }
}
