/** Properties of the SQLite backend that Redis does not have, or has in another way. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { monitorEventLoopDelay } from "node:perf_hooks";
import { describe, test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Queue, Worker } from "bullmq";
import { createSqliteBackend, SqliteConnection } from "../../src/bullmq-sqlite/index.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { testModule } from "../support/program.ts";
import { scaled } from "../support/speed.ts";
import { collect, idsOf, take, World } from "./conformance.ts";

const TEST_PROCEDURES = testModule(new URL("engine/procedures.ts", import.meta.url));

const newFile = () => join(temporaryDirectory("backend"), "queues.db");

async function withQueues(
  run: (world: World, connection: SqliteConnection) => Promise<void>,
  file = newFile(),
): Promise<void> {
  const connection = await SqliteConnection.open({ file, modules: [TEST_PROCEDURES] });
  const world = new World(connection, createSqliteBackend);
  try {
    await run(world, connection);
  } finally {
    await world.closeAll();
    await connection.close();
  }
}

describe("a restart", { timeout: 60_000 }, () => {
  test("keeps order, numbers, pause, limits and the delayed jobs", async () => {
    const file = newFile();
    await withQueues(async (world) => {
      const queue = world.queue();
      await queue.addBulk(["a", "b"].map((jobId) => ({ name: "x", data: {}, opts: { jobId } })));
      await queue.add("x", {});
      await queue.add("x", {}, { jobId: "later", delay: 300 });
      await queue.setGlobalConcurrency(7);
      await queue.pause();
    }, file);
    await withQueues(async (world) => {
      const queue = world.queue();
      await queue.add("x", {}, { jobId: "new" });
      await queue.add("x", {}, { jobId: "lifo", lifo: true });
      assert.equal((await queue.add("x", {})).id, "7");
      assert.equal(await queue.isPaused(), true);
      assert.equal(await queue.getGlobalConcurrency(), 7);
      const order: string[] = [];
      const worker = world.worker(async (job) => void order.push(job.id!));
      const completed = collect(worker, "completed", 7);
      await queue.resume();
      await completed;
      assert.deepEqual(
        order.filter((id) => id !== "later"),
        ["lifo", "a", "b", "3", "new", "7"],
      );
      assert.ok(order.includes("later"));
    }, file);
  });

  test("jobs of a process that died are recovered", async () => {
    const file = newFile();
    await withQueues(async (world) => {
      await world.queue().add("x", {}, { jobId: "a" });
      assert.ok(await take(world.handWorker({ lockDuration: 50 }), "dead"));
    }, file);
    await withQueues(async (world) => {
      const worker = world.worker(async () => {}, { stalledInterval: 60 });
      assert.equal(((await collect(worker, "completed", 1)) as [[{ id: string }]])[0][0].id, "a");
    }, file);
  });
});

describe("idle workers", { timeout: 60_000 }, () => {
  test("ask nothing, and each is woken by its own job", () =>
    withQueues(async (world, connection) => {
      const workers: Worker[] = [];
      const names = Array.from({ length: 200 }, (_, n) => `idle-${n}`);
      const drained = names.map((name) => {
        const worker = world.worker(async () => {}, { drainDelay: 0.01 }, name);
        workers.push(worker);
        return collect(worker, "drained", 1);
      });
      await Promise.all(drained);
      await delay(100);
      let calls = 0;
      const { engine } = connection;
      const call = engine.call.bind(engine);
      engine.call = ((procedure: string, ...args: unknown[]) => {
        calls += 1;
        return call(procedure, ...args);
      }) as typeof engine.call;
      await delay(500);
      assert.equal(calls, 0);
      const completed = workers.map((worker) => collect(worker, "completed", 1));
      for (const name of names) await world.queue({ skipMetasUpdate: true }, name).add("x", {});
      await Promise.all(completed);
    }));

  test("share one look for stalled jobs", () =>
    withQueues(async (world, connection) => {
      const calls: string[] = [];
      const { engine } = connection;
      const call = engine.call.bind(engine);
      engine.call = ((procedure: string, ...args: unknown[]) => {
        calls.push(procedure);
        return call(procedure, ...args);
      }) as typeof engine.call;
      const drained = Array.from({ length: 100 }, (_, n) =>
        collect(
          world.worker(async () => {}, { stalledInterval: 10_000 }, `idle-${n}`),
          "drained",
          1,
        ),
      );
      await Promise.all(drained);
      assert.ok(calls.includes("bullmq.activeQueues"));
      assert.ok(calls.filter((name) => name === "bullmq.activeQueues").length < 20, "not one a worker");
      assert.ok(!calls.includes("bullmq.recoverStalled"));
    }));

  for (const [how, end] of [
    ["when a rate limit is over", undefined],
    ["when a rate limit is removed", (queue: Queue) => queue.removeRateLimitKey()],
  ] as const) {
    test(`are woken ${how}, although no job is added`, () =>
      withQueues(async (world, connection) => {
        const queue = world.queue();
        await queue.rateLimit(end ? 60_000 : 200);
        await queue.add("x", {}, { jobId: "a" });
        const options = { connection, prefix: queue.opts.prefix!, limiter: { max: 1_000_000, duration: 1 } };
        const backend = createSqliteBackend(queue.name, options as never, { withBlockingConnection: true });
        const [job, , limitedFor] = await backend.moveToActive("t");
        assert.ok(!job && limitedFor! > 0, `limited for ${limitedFor} ms`);
        const woken = backend.waitForJob(0);
        await end?.(queue);
        await woken;
        const [taken] = await backend.moveToActive("t");
        assert.ok(taken, "the job can be taken");
        await backend.close();
      }));
  }

  test("one timer wakes the workers of many queues for their delayed jobs, in time", () =>
    withQueues(async (world) => {
      const late: number[] = [];
      const all = Array.from({ length: 50 }, async (_, n) => {
        const worker = world.worker(
          async (job) => void late.push(Date.now() - (job.timestamp + job.data)),
          {},
          `delayed-${n}`,
        );
        const completed = collect(worker, "completed", 1);
        const wait = 200 + n * 5;
        await world.queue({}, `delayed-${n}`).add("x", wait, { delay: wait });
        await completed;
      });
      await Promise.all(all);
      assert.ok(
        late.every((ms) => ms >= 0),
        `early: ${Math.min(...late)} ms`,
      );
    }));

  test("no wake-up is lost between many workers and single jobs", () =>
    withQueues(async (world) => {
      const queue = world.queue();
      let completed = 0;
      let done = () => {};
      for (let n = 0; n < 5; n += 1) {
        world
          .worker(async () => {}, { concurrency: 2 })
          .on("completed", () => {
            completed += 1;
            done();
          });
      }
      for (let n = 1; n <= 300; n += 1) {
        const one = new Promise<void>((resolve) => {
          done = resolve;
        });
        await queue.add("x", {});
        if (completed < n) await one;
      }
      assert.equal(completed, 300);
    }));
});

describe("procedures of an application", { timeout: 60_000 }, () => {
  test("share the transaction with the queues", () =>
    withQueues(async (world, { engine }) => {
      const queue = world.queue();
      const worker = world.worker(async () => {});
      const completed = collect(worker, "completed", 1);
      await engine.call("test.addJobAndNote", queue.qualifiedName, "kept", false);
      await completed;
      await assert.rejects(engine.call("test.addJobAndNote", queue.qualifiedName, "undone", true), /both or none/);
      assert.equal(await queue.getJob("undone"), undefined);
      assert.deepEqual(await engine.call("test.notes"), ["kept"]);
    }));

  test("count the changes of jobs with triggers", () =>
    withQueues(async (world, { engine }) => {
      await engine.call("test.countJobs");
      const queue = world.queue();
      const worker = world.worker(async (job) => {
        if (job.data.fail) throw new Error("x");
      });
      const ends = Promise.all([collect(worker, "completed", 2), collect(worker, "failed", 1)]);
      await queue.addBulk([{ fail: false }, { fail: true }, { fail: false }].map((data) => ({ name: "x", data })));
      await ends;
      assert.deepEqual(await engine.call("test.ledger"), [
        ["active", 3],
        ["completed", 2],
        ["failed", 1],
        ["waiting", 3],
      ]);
    }));

  test("a failing operation in a flood takes no job with it", () =>
    withQueues(async (world, { engine }) => {
      const queue = world.queue();
      const adds = Array.from({ length: 100 }, (_, n) => [
        queue.add("x", {}, { jobId: `job-${n}` }),
        ...(n % 10 === 0 ? [engine.call("test.writeThenThrow", String(n)).catch(() => {})] : []),
      ]);
      await Promise.all(adds.flat());
      assert.deepEqual(
        idsOf(await queue.getWaiting()),
        Array.from({ length: 100 }, (_, n) => `job-${n}`),
      );
    }));
});

describe("under load", { timeout: 60_000 }, () => {
  test("addBulk adds all jobs or none", () =>
    withQueues(async (world) => {
      const queue = world.queue();
      const parent = { id: "missing", queue: queue.qualifiedName };
      const jobs = [{}, { parent }, {}].map((opts) => ({ name: "x", data: {}, opts }));
      await assert.rejects(queue.addBulk(jobs), /Missing key for parent job/);
      assert.equal(await queue.getWaitingCount(), 0);
    }));

  test("a full disk rejects jobs, and the queue goes on when there is room", () =>
    withQueues(async (world, { engine }) => {
      const queue = world.queue();
      await queue.add("x", {}, { jobId: "before" });
      await engine.call("test.limitPages", 2);
      await assert.rejects(queue.add("x", "y".repeat(100_000)), { name: "EngineError", code: "FULL" });
      await engine.call("test.limitPages", 1_000);
      const worker = world.worker(async () => {});
      const completed = collect(worker, "completed", 2);
      await queue.add("x", "y".repeat(100_000));
      await completed;
    }));

  test("a flood leaves the event loop free", () =>
    withQueues(async (world) => {
      const queue = world.queue({ streams: { events: { maxLen: 0 } } });
      const worker = world.worker(async () => {}, { concurrency: 50, removeOnComplete: { count: 0 } });
      const completed = collect(worker, "completed", 5_000);
      const loop = monitorEventLoopDelay({ resolution: 1 });
      loop.enable();
      let next = 0;
      const produce = async () => {
        while (next++ < 5_000) await queue.add("x", { body: "x".repeat(300) });
      };
      await Promise.all(Array.from({ length: 200 }, produce));
      await completed;
      loop.disable();
      // Half the samples: the others include what else the machine does.
      const median = loop.percentile(50) / 1e6;
      assert.ok(median < scaled(20), `median delay ${median} ms`);
    }));
});
