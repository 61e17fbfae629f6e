/** Operations that a Redis without memory still accepts, and those it refuses. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { DelayedError, type Worker } from "bullmq";
import { Redis } from "ioredis";
import { openRedisStore } from "../../src/store/redis/open.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const quiet = { info() {}, warn() {}, error() {} };
const OOM = /^ReplyError: OOM/;
const LOCK_MS = 500;
const QUEUE = "deliver-wh_full";

test("without memory, jobs are started, end and are removed, and none is added", {
  ...requireOrSkip("redis-server"),
  timeout: 30_000,
}, async (t) => {
  const redis = await startRedis();
  const client = new Redis(redis.url);
  const store = await openRedisStore({ url: redis.url, log: quiet });
  const queue = store.queues.queue(QUEUE);
  let worker: Worker | undefined;
  t.after(async () => {
    await worker?.close();
    await queue.close();
    await store.close();
    client.disconnect();
    await redis.stop();
  });
  const options = { lockDuration: LOCK_MS, stalledInterval: LOCK_MS, maxStalledCount: 10 };
  const count = 20;
  await queue.addBulk(Array.from({ length: count }, (_, i) => ({ name: "x", data: {}, opts: { jobId: `j${i}` } })));
  const dying = store.queues.worker(QUEUE, () => new Promise(() => {}), options);
  await once(dying, "active");
  await dying.close(true);

  await client.config("SET", "maxmemory", "1");
  await assert.rejects(queue.add("x", {}), OOM);
  await assert.rejects(queue.addBulk([{ name: "x", data: {} }]), /OOM|EXECABORT/);
  await assert.rejects(store.expiringKeys.setIfAbsent("c", "1", 10), OOM);
  await assert.rejects(store.records("any").create("1", {}), OOM);
  const small = store.records<object>("small", { evenWithoutMemory: true });
  assert.equal(await small.create("1", { a: 1 }), true);
  assert.equal(await small.replace("1", { a: 2 }, 1), true);
  assert.equal(await store.leases.acquire("l", "me", 1_000), "me");
  await queue.rateLimit(100);
  assert.ok((await queue.getRateLimitTtl(1)) > 0);

  const longer = new Set<string>();
  const done = new Set<string>();
  worker = store.queues.worker(
    QUEUE,
    async (job, token) => {
      // One job whose lock must be renewed, one that fails first, and one that waits for a while.
      if (job.id === "j3") await delay(3 * LOCK_MS);
      if (job.id === "j4" && job.attemptsMade === 0) throw new Error("again");
      if (job.id === "j5" && !longer.has("j5")) {
        longer.add("j5");
        await job.moveToDelayed(Date.now() + 50, token);
        throw new DelayedError();
      }
    },
    { ...options, concurrency: 2, limiter: { max: 1_000, duration: 1_000 } },
  );
  const failed: string[] = [];
  worker.on("failed", (job) => failed.push(job!.id!));
  await new Promise<void>((resolve) =>
    worker!.on("completed", (job) => {
      assert.ok(!done.has(job.id!), `${job.id} ended twice`);
      if (done.add(job.id!).size === count - 1) resolve();
    }),
  );
  assert.deepEqual(failed, ["j4"]);
  const book = await store.ledgers.of(QUEUE);
  assert.deepEqual(book, { enqueued: count, succeeded: count - 1, failed: 1, waiting: 0, discarded: 0 });
  assert.equal((await queue.clean(0, 10, "completed")).length, 10);
  await queue.remove("j4");
  await queue.obliterate();
  assert.equal(await store.ledgers.close(QUEUE), true);
  assert.deepEqual(await store.ledgers.total(), book);
});
