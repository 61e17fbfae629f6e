/** Adds jobs as fast as it can and prints the ids of the acknowledged ones, until it is killed. Argument: file. */
import { Queue } from "bullmq";
import { createSqliteBackend, SqliteConnection } from "../../src/bullmq-sqlite/index.ts";

const connection = await SqliteConnection.open({ file: process.argv[2]! });
const queue = new Queue("flood", { connection }, createSqliteBackend);
let next = 0;
async function produce(): Promise<never> {
  for (;;) {
    next += 1;
    const { id } = await queue.add("a", { body: "x".repeat(300) }, { jobId: `job-${next}` });
    // Waits while the reader is slow: a synchronous write would fail.
    await new Promise((done) => process.stdout.write(`${id}\n`, done));
  }
}
await Promise.all(Array.from({ length: 100 }, produce));
