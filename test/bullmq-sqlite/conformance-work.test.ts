import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { DelayedError, RateLimitError, UnrecoverableError, WaitingError } from "bullmq";
import { collect, conformance, idsOf, type Job, take } from "./conformance.ts";

conformance("working", {
  "a job is completed with its result": async (world) => {
    const queue = world.queue();
    const worker = world.worker(async (job) => ({ doubled: job.data.n * 2 }), { name: "alice" });
    const completed = collect(worker, "completed", 1);
    await queue.add("double", { n: 21 }, { jobId: "a" });
    await completed;
    const job = (await queue.getJob("a"))!;
    assert.deepEqual(job.returnvalue, { doubled: 42 });
    assert.equal(await job.getState(), "completed");
    assert.equal(job.attemptsMade, 1);
    assert.equal(job.attemptsStarted, 1);
    assert.equal(job.processedBy, "alice");
    assert.ok(job.finishedOn! >= job.processedOn! && job.processedOn! >= job.timestamp);
  },

  "an idle worker is woken at once": async (world) => {
    const queue = world.queue();
    const worker = world.worker(async () => {});
    await worker.waitUntilReady();
    await delay(100);
    const completed = collect(worker, "completed", 1);
    const start = performance.now();
    await queue.add("a", {});
    await completed;
    assert.ok(performance.now() - start < 2_000);
  },

  "a worker runs as many jobs at once as its concurrency": async (world) => {
    const queue = world.queue();
    await queue.addBulk(Array.from({ length: 12 }, () => ({ name: "a", data: {} })));
    let running = 0;
    let most = 0;
    const worker = world.worker(
      async () => {
        running += 1;
        most = Math.max(most, running);
        await delay(20);
        running -= 1;
      },
      { concurrency: 4 },
    );
    await collect(worker, "completed", 12);
    assert.equal(most, 4);
  },

  "two workers share a queue and take no job twice": async (world) => {
    const queue = world.queue();
    const seen: string[] = [];
    const process = async (job: Job) => {
      seen.push(job.id!);
      await delay(1);
    };
    const workers = [world.worker(process, { concurrency: 3 }), world.worker(process, { concurrency: 3 })];
    let completed = 0;
    const all = new Promise<void>((resolve) => {
      for (const worker of workers) worker.on("completed", () => ++completed === 60 && resolve());
    });
    await queue.addBulk(Array.from({ length: 60 }, (_, n) => ({ name: "a", data: {}, opts: { jobId: `j${n}` } })));
    await all;
    assert.equal(new Set(seen).size, 60);
    assert.equal(seen.length, 60);
  },

  "a failed job keeps reason and stack": async (world) => {
    const queue = world.queue();
    const worker = world.worker(async () => {
      throw new Error("no paint");
    });
    const failed = collect(worker, "failed", 1);
    await queue.add("a", {}, { jobId: "a" });
    await failed;
    const job = (await queue.getJob("a"))!;
    assert.equal(job.failedReason, "no paint");
    assert.equal(job.stacktrace?.length, 1);
    assert.equal(await job.getState(), "failed");
    assert.equal(job.attemptsMade, 1);
  },

  "retries at once and with a custom back-off": async (world) => {
    const queue = world.queue();
    const delays: number[] = [];
    const worker = world.worker(
      async (job) => {
        if (job.attemptsMade < 2) throw new Error("again");
        return "done";
      },
      {
        settings: {
          backoffStrategy: (attempts) => {
            delays.push(attempts);
            return attempts * 20;
          },
        },
      },
    );
    const completed = collect(worker, "completed", 2);
    await queue.add("at once", {}, { jobId: "a", attempts: 3 });
    await queue.add("custom", {}, { jobId: "b", attempts: 3, backoff: { type: "custom" } });
    await completed;
    assert.deepEqual(delays, [1, 2]);
    for (const id of ["a", "b"]) {
      const job = (await queue.getJob(id))!;
      assert.deepEqual([job.attemptsMade, job.attemptsStarted, job.stacktrace?.length], [3, 3, 2]);
    }
  },

  "the last attempt fails the job for good": async (world) => {
    const queue = world.queue();
    const events = world.events();
    const exhausted = collect(events, "retries-exhausted", 1);
    world.worker(async () => {
      throw new Error("never");
    });
    await queue.add("a", {}, { jobId: "a", attempts: 2 });
    assert.deepEqual((await exhausted)[0]?.[0], { jobId: "a", attemptsMade: "2" });
    assert.equal(await queue.getFailedCount(), 1);
  },

  "UnrecoverableError ends the retries": async (world) => {
    const queue = world.queue();
    const worker = world.worker(async () => {
      throw new UnrecoverableError("hopeless");
    });
    const failed = collect(worker, "failed", 1);
    await queue.add("a", {}, { jobId: "a", attempts: 5 });
    await failed;
    assert.equal((await queue.getJob("a"))?.attemptsMade, 1);
  },

  "DelayedError postpones without using an attempt": async (world) => {
    const queue = world.queue();
    const starts: number[] = [];
    const worker = world.worker(async (job, token) => {
      starts.push(Date.now());
      if (starts.length > 1) return;
      await job.moveToDelayed(Date.now() + 100, token);
      throw new DelayedError();
    });
    const completed = collect(worker, "completed", 1);
    await queue.add("a", {}, { jobId: "a" });
    await completed;
    assert.ok(starts[1]! - starts[0]! >= 99);
    const job = (await queue.getJob("a"))!;
    assert.deepEqual([job.attemptsMade, job.attemptsStarted], [1, 2]);
  },

  "WaitingError puts the job back": async (world) => {
    const queue = world.queue();
    let starts = 0;
    const worker = world.worker(async (job, token) => {
      starts += 1;
      if (starts > 1) return;
      await job.moveToWait(token);
      throw new WaitingError();
    });
    const completed = collect(worker, "completed", 1);
    await queue.add("a", {}, { jobId: "a" });
    await completed;
    assert.equal((await queue.getJob("a"))?.attemptsMade, 1);
  },

  "worker.rateLimit and RateLimitError hold the queue without using an attempt": async (world) => {
    const queue = world.queue();
    const starts: number[] = [];
    const worker = world.worker(
      async () => {
        starts.push(Date.now());
        if (starts.length > 1) return;
        await worker.rateLimit(200);
        throw new RateLimitError();
      },
      { limiter: { max: 1_000_000, duration: 1 } },
    );
    const completed = collect(worker, "completed", 1);
    await queue.add("a", {}, { jobId: "a" });
    await completed;
    assert.ok(starts[1]! - starts[0]! >= 190, `held for ${starts[1]! - starts[0]!} ms`);
    assert.equal((await queue.getJob("a"))?.attemptsMade, 1);
  },

  "a worker's limiter bounds jobs per time": async (world) => {
    const queue = world.queue();
    const starts: number[] = [];
    await queue.addBulk(Array.from({ length: 5 }, () => ({ name: "a", data: {} })));
    const worker = world.worker(async () => void starts.push(Date.now()), { limiter: { max: 2, duration: 200 } });
    await collect(worker, "completed", 5);
    assert.ok(starts[4]! - starts[0]! >= 380, `five jobs in ${starts[4]! - starts[0]!} ms`);
  },

  "a global rate limit holds for every worker": async (world) => {
    const queue = world.queue();
    await queue.setGlobalRateLimit(1, 60_000);
    await queue.addBulk([1, 2].map((n) => ({ name: "a", data: n })));
    const worker = world.handWorker();
    assert.ok(await take(worker, "a"));
    assert.equal(await take(worker, "b"), undefined);
    const ttl = await queue.getRateLimitTtl();
    assert.ok(ttl > 50_000 && ttl <= 60_000);
    assert.equal(await queue.removeRateLimitKey(), 1);
    assert.equal(await queue.getRateLimitTtl(), 0);
    assert.deepEqual(await queue.getGlobalRateLimit(), { max: 1, duration: 60_000 });
    await queue.removeGlobalRateLimit();
    assert.equal(await queue.getGlobalRateLimit(), null);
    assert.equal(await queue.getRateLimitTtl(), -2);
  },

  "a global concurrency bounds all workers together": async (world) => {
    const queue = world.queue();
    await queue.setGlobalConcurrency(2);
    assert.equal(await queue.getGlobalConcurrency(), 2);
    await queue.addBulk(Array.from({ length: 6 }, () => ({ name: "a", data: {} })));
    const worker = world.handWorker();
    const [one, two] = [await take(worker, "a"), await take(worker, "b")];
    assert.ok(one && two);
    assert.equal(await queue.isMaxed(), true);
    assert.equal(await take(worker, "c"), undefined);
    await one.moveToCompleted("x", "a", false);
    assert.equal(await queue.isMaxed(), false);
    assert.ok(await take(worker, "d"));
    await queue.removeGlobalConcurrency();
    assert.ok(await take(worker, "e"));
  },

  "a paused queue gives no job and keeps what it has": async (world) => {
    const queue = world.queue();
    const events = world.events();
    const [paused, resumed] = [collect(events, "paused", 1), collect(events, "resumed", 1)];
    await queue.pause();
    assert.equal(await queue.isPaused(), true);
    await queue.add("a", {}, { jobId: "a" });
    const worker = world.worker(async () => {});
    const completed = collect(worker, "completed", 1);
    assert.deepEqual(await queue.getJobCounts("waiting", "active"), { waiting: 1, active: 0 });
    await queue.resume();
    await completed;
    assert.equal(await queue.isPaused(), false);
    await Promise.all([paused, resumed]);
  },

  "a paused worker takes no job until it resumes": async (world) => {
    const queue = world.queue();
    const worker = world.worker(async () => {});
    await worker.waitUntilReady();
    await worker.pause();
    const job = await queue.add("a", {});
    await delay(50);
    assert.equal(await job.getState(), "waiting");
    const completed = collect(worker, "completed", 1);
    worker.resume();
    await completed;
  },

  "close waits for the job in progress": async (world) => {
    const queue = world.queue();
    const worker = world.worker(async () => delay(100).then(() => "done"));
    const active = collect(worker, "active", 1);
    const job = await queue.add("a", {});
    await active;
    await worker.close();
    assert.equal(await job.getState(), "completed");
  },

  "removeOnComplete and removeOnFail: remove, count and age": async (world) => {
    const queue = world.queue();
    const worker = world.handWorker();
    const finish = async (id: string, opts: object, failure?: string) => {
      await queue.add("a", {}, { jobId: id, ...opts });
      const job = (await take(worker, id))!;
      if (failure === undefined) await job.moveToCompleted("ok", id, false);
      else await job.moveToFailed(new Error(failure), id, false);
      await delay(2);
    };
    await finish("removed", { removeOnComplete: true });
    assert.equal(await queue.getJob("removed"), undefined);
    for (const id of ["a", "b", "c"]) await finish(id, { removeOnComplete: 2 });
    assert.deepEqual(idsOf(await queue.getCompleted()), ["c", "b"]);
    for (const id of ["d", "e"]) await finish(id, { removeOnFail: { count: 1 } }, "x");
    assert.deepEqual(idsOf(await queue.getFailed()), ["e"]);
    await delay(1_050);
    await finish("f", { removeOnComplete: { age: 1 } });
    assert.deepEqual(idsOf(await queue.getCompleted()), ["f"]);
  },
});
