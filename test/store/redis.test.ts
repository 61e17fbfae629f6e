import assert from "node:assert/strict";
import { rm } from "node:fs/promises";
import { describe, test } from "node:test";
import { Redis } from "ioredis";
import { StoreConfigError } from "../../src/store/errors.ts";
import { openStore } from "../../src/store/open.ts";
import { openRedisStore } from "../../src/store/redis/open.ts";
import { storeContract } from "../contracts/store.contract.ts";
import { redisInstalled, startRedis, type TestRedis } from "../support/redis.ts";

const quiet = { info() {}, warn() {}, error() {} };
const installed = redisInstalled();
const skip = !installed && !process.env.CI && "redis-server is not installed (apt install redis-server)";

/** Log whose lines a test can read and wait for. */
function recordingLog() {
  const lines: string[] = [];
  let wake = () => {};
  const record = (_fields: object, message: string) => {
    lines.push(message);
    wake();
  };
  return {
    lines,
    log: { info: record, warn: record, error: record },
    async until(message: string): Promise<void> {
      while (!lines.includes(message)) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    },
  };
}

async function withRedis(args: string[], run: (redis: TestRedis) => Promise<void>): Promise<void> {
  const redis = await startRedis({ args });
  try {
    await run(redis);
  } finally {
    await redis.stop();
  }
}

let contractRedis: TestRedis;
storeContract(
  "redis",
  async () => {
    contractRedis = await startRedis();
    const store = await openRedisStore({ url: contractRedis.url, log: quiet });
    return {
      store,
      async cleanup() {
        await store.close();
        await contractRedis.stop();
      },
    };
  },
  {
    skip,
    async another() {
      const store = await openRedisStore({ url: contractRedis.url, log: quiet });
      return { store, close: () => store.close() };
    },
  },
);

describe("redis store", { skip }, () => {
  test("it works right after opening, keeps everything under its prefix, and can be closed twice", async () => {
    await withRedis([], async ({ url }) => {
      const store = await openStore({ storeUrl: url, dataDir: "/nowhere", log: quiet });
      const other = await openRedisStore({ url, prefix: "another", log: quiet });
      assert.equal(store.kind, "redis");
      assert.deepEqual(store.warnings, []);
      const queue = store.queues.queue<number>("q");
      await queue.add("x", 1);
      await store.records("hooks").create("a", 1);
      assert.equal(await other.records("hooks").get("a"), undefined);
      assert.equal(await other.queues.queue("q").count(), 0);
      await queue.close();
      await store.close();
      await store.close();
      await assert.rejects(store.ping());
      await other.ping();
      await other.close();
    });
  });

  test("jobs added together become visible to other instances all at once", async () => {
    await withRedis([], async ({ url }) => {
      const [store, other] = [await openRedisStore({ url, log: quiet }), await openRedisStore({ url, log: quiet })];
      const [queue, watched] = [store.queues.queue("together"), other.queues.queue("together")];
      const jobs = Array.from({ length: 2_000 }, (_, i) => ({
        name: "x",
        data: "x".repeat(1_000),
        opts: { jobId: `b-${i}` },
      }));
      let added = false;
      const adding = queue.addBulk(jobs).finally(() => {
        added = true;
      });
      const seen = new Set<number>();
      while (!added) seen.add(await watched.getWaitingCount());
      await adding;
      assert.deepEqual(
        [...seen].filter((count) => count !== 0 && count !== 2_000),
        [],
      );
      await Promise.all([queue.close(), watched.close()]);
      await Promise.all([store.close(), other.close()]);
    });
  });

  test("a queue older than the ledgers starts its ledger with its content", () =>
    withRedis([], async (redis) => {
      const store = await openRedisStore({ url: redis.url, log: quiet });
      const queue = store.queues.queue("deliver-wh_old");
      const raw = new Redis(redis.url);
      try {
        await queue.addBulk([1, 2, 3].map((n) => ({ name: "m", data: {}, opts: { jobId: `old-${n}` } })));
        await raw.del("causeway:q:deliver-wh_old:books", "causeway:b:queues");
        const none = { enqueued: 0, succeeded: 0, failed: 0, waiting: 0, discarded: 0 };
        await queue.remove("old-1");
        assert.deepEqual(await store.ledgers.total(), none, "not begun yet");
        await queue.add("m", {}, { jobId: "new" });
        await queue.remove("old-2");
        assert.deepEqual(await store.ledgers.total(), { ...none, enqueued: 3, waiting: 2, discarded: 1 });
      } finally {
        await raw.quit();
        await queue.close();
        await store.close();
      }
    }));

  test("an evicting policy is refused, with advice", async () => {
    await withRedis(["--maxmemory-policy", "allkeys-lru"], async ({ url }) => {
      await assert.rejects(openRedisStore({ url, log: quiet }), (err: unknown) => {
        assert.ok(err instanceof StoreConfigError);
        assert.match(err.message, /allkeys-lru/);
        assert.match(err.message, /noeviction/);
        return true;
      });
    });
  });

  test("a refused password is a configuration error, and the start does not wait", async () => {
    await withRedis([], async ({ port }) => {
      await assert.rejects(
        openRedisStore({ url: `redis://me:secret@127.0.0.1:${port}`, log: quiet }),
        (err: unknown) => {
          assert.ok(err instanceof StoreConfigError);
          assert.doesNotMatch(err.message, /secret/);
          return true;
        },
      );
    });
  });

  test("a Redis without persistence is used, with a warning", async () => {
    await withRedis(["--appendonly", "no"], async ({ url }) => {
      const { log, lines } = recordingLog();
      const store = await openRedisStore({ url, log });
      assert.equal(store.warnings.length, 1);
      assert.match(store.warnings[0]!, /appendonly yes/);
      assert.deepEqual(lines, ["store_warning"]);
      await store.close();
    });
    await withRedis(["--appendonly", "no", "--save", "60 1000"], async ({ url }) => {
      const store = await openRedisStore({ url, log: quiet });
      assert.deepEqual(store.warnings, []);
      await store.close();
    });
  });

  test("opening waits for a Redis that is not up yet, and reports it once", async () => {
    const first = await startRedis();
    await first.stop();
    const { log, lines, until } = recordingLog();
    const opening = openRedisStore({ url: first.url, log });
    await until("store_lost");
    const redis = await startRedis({ port: first.port });
    const store = await opening;
    await store.ping();
    assert.deepEqual(lines, ["store_lost", "store_back"]);
    await store.close();
    await redis.stop();
  });

  test("opening ends with the caller's signal", async () => {
    const gone = await startRedis();
    await gone.stop();
    await assert.rejects(openRedisStore({ url: gone.url, log: quiet, signal: AbortSignal.timeout(100) }), {
      name: "TimeoutError",
    });
  });

  test("after an outage everything continues by itself, and the log has two lines", { timeout: 30_000 }, async () => {
    let redis = await startRedis();
    const { log, lines, until } = recordingLog();
    const store = await openRedisStore({ url: redis.url, log });
    const hooks = store.records<number>("hooks");
    const queue = store.queues.queue<number>("jobs");
    let idleDone = 0;
    const quietQueues = Array.from({ length: 20 }, (_, i) => store.queues.queue(`idle-${i}`));
    const idleWorkers = quietQueues.map((each) =>
      store.queues.worker(each.name, async () => {
        idleDone += 1;
        wake();
      }),
    );

    const processed: number[] = [];
    const heard: (string | undefined)[] = [];
    let wake = () => {};
    const untilTrue = async (condition: () => boolean) => {
      while (!condition()) {
        await new Promise<void>((resolve) => {
          wake = resolve;
        });
      }
    };
    // Finishes the job that runs while Redis dies, before Redis is back.
    let finishHeld = () => {};
    const held = new Promise<void>((resolve) => {
      finishHeld = resolve;
    });
    const worker = store.queues.worker<number>(
      "jobs",
      async (job) => {
        processed.push(job.data);
        wake();
        if (job.data === 2) await held;
      },
      { concurrency: 4 },
    );
    let completed = 0;
    worker.on("completed", () => {
      completed += 1;
      wake();
    });
    const stop = await hooks.watch((id) => {
      heard.push(id);
      wake();
    });
    await queue.add("x", 1);
    await untilTrue(() => completed === 1);
    await queue.add("x", 2, { jobId: "held" });
    await untilTrue(() => processed.includes(2));
    await hooks.create("before", 1);
    await untilTrue(() => heard.includes("before"));

    await redis.kill();
    await until("store_lost");
    await assert.rejects(store.ping());
    await assert.rejects(hooks.get("before"));
    await assert.rejects(store.expiringKeys.setIfAbsent("k", "v", 60));
    await assert.rejects(queue.add("x", 0));
    await assert.rejects(queue.addBulk([{ name: "x", data: 0 }]));
    const made = store.queues.queue<number>("made-while-away");
    await assert.rejects(made.add("x", 0));
    finishHeld();

    redis = await startRedis({ port: redis.port, dir: redis.dir });
    await until("store_back");
    assert.deepEqual(await hooks.get("before"), { id: "before", value: 1, version: 1 });
    await untilTrue(() => heard.includes(undefined));
    await hooks.create("after", 1);
    await untilTrue(() => heard.includes("after"));
    await queue.add("x", 3);
    await untilTrue(() => processed.includes(3));
    await untilTrue(() => completed === 3);
    assert.equal(await (await queue.getJob("held"))?.getState(), "completed");
    await Promise.all(quietQueues.map((each) => each.add("x", null)));
    await untilTrue(() => idleDone === quietQueues.length);
    await made.add("x", 4);
    assert.equal(await made.count(), 1);
    assert.deepEqual(processed, [1, 2, 3]);
    assert.deepEqual(heard, ["before", undefined, "after"]);
    assert.deepEqual(lines, ["store_lost", "store_back"]);

    await stop();
    await Promise.all([worker, ...idleWorkers].map((each) => each.close()));
    await Promise.all([queue, made, ...quietQueues].map((each) => each.close()));
    await store.close();
    await redis.stop();
    await rm(redis.dir, { recursive: true, force: true });
  });
});
