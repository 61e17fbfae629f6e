/** Process started by `sqlite.test.ts`: writes, prints "ready" and waits to be killed. */
import { openSqliteStore } from "../../src/store/sqlite/open.ts";

const log = { info() {}, warn() {}, error() {} };
const store = await openSqliteStore({ dataDir: process.argv[2]!, log });
const records = store.records<number>("hooks");
for (let i = 0; i < 100; i += 1) await records.create(String(i).padStart(3, "0"), i);
await store.expiringKeys.setIfAbsent("key", "old", 60);
const queue = store.queues.queue<number>("jobs");
for (let i = 0; i < 100; i += 1) await queue.add("x", i, { jobId: `m-${i}` });
await queue.addBulk(Array.from({ length: 100 }, (_, i) => ({ name: "x", data: 100 + i })));
process.stdout.write("ready\n");
setInterval(() => {}, 60_000);
