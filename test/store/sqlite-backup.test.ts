/** Backup of a live embedded store, as docs/operations.md describes it. */
import assert from "node:assert/strict";
import { copyFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { test } from "node:test";
import { openSqliteStore } from "../../src/store/sqlite/open.ts";
import { temporaryDirectory } from "../support/directories.ts";

const log = { info() {}, warn() {}, error() {} };
const Libsql = createRequire(import.meta.url)("libsql") as new (
  file: string,
) => { exec(sql: string): void; close(): void };

test("VACUUM INTO copies a store in use, and the copy opens with its records and jobs", async () => {
  const [live, backup, restored] = [1, 2, 3].map(() => temporaryDirectory("backup")) as [string, string, string];
  const store = await openSqliteStore({ dataDir: live, log });
  await store.records("hooks").create("before", 1);
  const queue = store.queues.queue<number>("jobs");
  await queue.add("x", 1);
  const copy = join(backup, "copy.db");
  const reader = new Libsql(join(live, "causeway.db"));
  reader.exec(`VACUUM INTO '${copy}'`);
  reader.close();
  await store.records("hooks").create("after", 2);
  await queue.close();
  await store.close();

  copyFileSync(copy, join(restored, "causeway.db"));
  const again = await openSqliteStore({ dataDir: restored, log });
  assert.deepEqual(
    (await again.records("hooks").all()).map(({ id }) => id),
    ["before"],
  );
  const jobs = again.queues.queue<number>("jobs");
  assert.equal((await jobs.getJobCounts("waiting")).waiting, 1);
  await jobs.close();
  await again.close();
});
