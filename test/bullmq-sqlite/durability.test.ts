import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { Queue } from "bullmq";
import { createSqliteBackend, SqliteConnection } from "../../src/bullmq-sqlite/index.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { startProcess } from "../support/processes.ts";
import { testProgram } from "../support/program.ts";

const FLOOD = testProgram(new URL("flood-process.ts", import.meta.url));

test("kill -9 in a flood: every acknowledged job is there, once and complete", { timeout: 90_000 }, async () => {
  const file = join(temporaryDirectory("durability"), "queues.db");
  const acknowledged = new Set<string>();
  for (let round = 0; round < 3; round += 1) {
    const child = startProcess(process.execPath, [...FLOOD, file]);
    await child.waitFor(/job-\d+\n(job-\d+\n){500}/, { timeoutMs: 30_000 });
    await child.kill();
    for (const [id] of child.output.matchAll(/job-\d+(?=\n)/g)) acknowledged.add(id);
  }
  const connection = await SqliteConnection.open({ file });
  const queue = new Queue("flood", { connection }, createSqliteBackend);
  const jobs = await queue.getWaiting();
  const ids = new Set(jobs.map(({ id }) => id));
  assert.ok(acknowledged.size >= 500, `${acknowledged.size} jobs acknowledged`);
  assert.deepEqual(
    [...acknowledged].filter((id) => !ids.has(id)),
    [],
  );
  assert.equal(ids.size, jobs.length);
  assert.ok(jobs.every(({ data }) => data.body.length === 300));
  await queue.close();
  await connection.close();
});
