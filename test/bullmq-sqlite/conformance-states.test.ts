import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { collect, conformance, idsOf, type Job, take, type World } from "./conformance.ts";

/** Takes and finishes jobs by hand, two milliseconds apart, so that their order is certain. */
async function finish(world: World, count: number, outcome: "completed" | "failed"): Promise<void> {
  const worker = world.handWorker();
  for (let n = 0; n < count; n += 1) {
    const job = (await take(worker, "t"))!;
    if (outcome === "completed") await job.moveToCompleted(n, "t", false);
    else await job.moveToFailed(new Error("x"), "t", false);
    await delay(2);
  }
}

const add = (world: World, ids: string[], opts: object = {}) =>
  world.queue().addBulk(ids.map((jobId) => ({ name: "a", data: {}, opts: { jobId, ...opts } })));

conformance("states and lists", {
  "counts per state": async (world) => {
    const queue = world.queue();
    await add(world, ["a", "b", "c", "d", "e"]);
    await add(world, ["p"], { priority: 1 });
    await add(world, ["l"], { delay: 60_000 });
    await finish(world, 2, "completed");
    await finish(world, 1, "failed");
    await take(world.handWorker(), "t");
    assert.deepEqual(await queue.getJobCounts(), {
      active: 1,
      completed: 2,
      delayed: 1,
      failed: 1,
      prioritized: 1,
      waiting: 1,
      "waiting-children": 0,
    });
    assert.equal(await queue.count(), 3);
    assert.equal(await queue.getJobCountByTypes("completed", "failed"), 3);
  },

  "ranges, ascending and descending": async (world) => {
    const queue = world.queue();
    await add(world, ["a", "b", "c", "d"]);
    assert.deepEqual(idsOf(await queue.getWaiting()), ["a", "b", "c", "d"]);
    assert.deepEqual(idsOf(await queue.getWaiting(1, 2)), ["b", "c"]);
    assert.deepEqual(idsOf(await queue.getJobs(["waiting"], 0, 1, false)), ["d", "c"]);
    assert.deepEqual(idsOf(await queue.getJobs(["waiting"], 2, 9, true)), ["c", "d"]);
    await finish(world, 3, "completed");
    assert.deepEqual(idsOf(await queue.getCompleted()), ["c", "b", "a"]);
    assert.deepEqual(idsOf(await queue.getCompleted(1, 1)), ["b"]);
    assert.deepEqual(idsOf(await queue.getJobs(["completed"], 0, -1, true)), ["a", "b", "c"]);
    assert.deepEqual(idsOf(await queue.getJobs(["completed", "waiting"], 0, 0, true)), ["a", "d"]);
    assert.deepEqual(await queue.getRanges(["completed"], 0, -1, false), ["c", "b", "a"]);
  },

  "the states of a job": async (world) => {
    await add(world, ["a"]);
    const queue = world.queue();
    const job = (await queue.getJob("a"))!;
    const worker = world.handWorker();
    assert.deepEqual([await job.isWaiting(), await job.isActive(), await job.isDelayed()], [true, false, false]);
    const taken = (await take(worker, "t"))!;
    assert.equal(await job.isActive(), true);
    assert.deepEqual(idsOf(await queue.getActive()), ["a"]);
    await taken.moveToCompleted("x", "t", false);
    assert.deepEqual([await job.isCompleted(), await job.isFailed(), await job.isActive()], [true, false, false]);
    assert.equal(await queue.getJobState("missing"), "unknown");
  },

  "finished jobs can be retried, one or all": async (world) => {
    const queue = world.queue();
    await add(world, ["a", "b", "c"], { attempts: 1 });
    await finish(world, 3, "failed");
    const job = (await queue.getJob("b"))!;
    await job.retry("failed");
    assert.equal(await job.getState(), "waiting");
    const stored = (await queue.getJob("b"))!;
    assert.deepEqual(
      [stored.finishedOn, stored.processedOn, stored.failedReason, stored.attemptsMade],
      [undefined, undefined, undefined, 1],
    );
    await assert.rejects(job.retry("failed"), /Job b is not in the failed state\. reprocessJob/);
    await queue.retryJobs();
    assert.deepEqual(idsOf(await queue.getWaiting()), ["b", "a", "c"]);
    await finish(world, 1, "completed");
    await (await queue.getJob("b"))!.retry("completed", { resetAttemptsMade: true, resetAttemptsStarted: true });
    const again = (await queue.getJob("b"))!;
    assert.deepEqual([again.attemptsMade, again.attemptsStarted], [0, 0]);
  },

  "a job is removed in any state but while it is processed": async (world) => {
    const queue = world.queue();
    const events = world.events();
    const removed = collect(events, "removed", 2);
    await add(world, ["a", "b", "c"]);
    const active = (await take(world.handWorker(), "t"))!;
    await assert.rejects(active.remove(), /Job a could not be removed because it is locked/);
    await (await queue.getJob("b"))!.remove();
    assert.equal(await queue.remove("c"), 1);
    assert.equal(await queue.remove("missing"), 1);
    assert.deepEqual(idsOf(await queue.getWaiting()), []);
    assert.deepEqual(
      (await removed).map(([fields]) => fields),
      [
        { jobId: "b", prev: "wait" },
        { jobId: "c", prev: "wait" },
      ],
    );
  },

  "clean removes old jobs of a state, the oldest first": async (world) => {
    const queue = world.queue();
    await add(world, ["a", "b", "c"]);
    await finish(world, 3, "completed");
    assert.deepEqual(await queue.clean(60_000, 10, "completed"), []);
    await delay(5);
    assert.deepEqual(await queue.clean(1, 2, "completed"), ["a", "b"]);
    assert.deepEqual(idsOf(await queue.getCompleted()), ["c"]);
    await add(world, ["w"]);
    await add(world, ["l"], { delay: 60_000 });
    await add(world, ["p"], { priority: 1 });
    await delay(5);
    for (const [state, id] of [
      ["wait", "w"],
      ["delayed", "l"],
      ["prioritized", "p"],
    ] as const) {
      assert.deepEqual(await queue.clean(1, 10, state), [id]);
    }
    assert.equal(await queue.count(), 0);
  },

  "drain removes waiting jobs, and delayed ones if asked": async (world) => {
    const queue = world.queue();
    await add(world, ["a", "b"]);
    await add(world, ["p"], { priority: 1 });
    await add(world, ["l"], { delay: 60_000 });
    await queue.drain();
    assert.deepEqual(await queue.getJobCounts("waiting", "prioritized", "delayed"), {
      waiting: 0,
      prioritized: 0,
      delayed: 1,
    });
    assert.equal(await queue.getJob("a"), undefined);
    await queue.drain(true);
    assert.equal(await queue.getDelayedCount(), 0);
  },

  "obliterate removes everything, with active jobs only by force": async (world) => {
    const queue = world.queue();
    await add(world, ["a", "b", "c"]);
    await finish(world, 1, "completed");
    await take(world.handWorker(), "t");
    await assert.rejects(queue.obliterate(), /Cannot obliterate queue with active jobs/);
    await queue.obliterate({ force: true, count: 1 });
    const counts = Object.values(await queue.getJobCounts());
    assert.deepEqual(new Set(counts), new Set([0]));
    assert.equal(await queue.isPaused(), false);
    assert.equal((await queue.add("a", {})).id, "1");
  },

  "a lock protects a job, is extended, and is lost with another token": async (world) => {
    const queue = world.queue();
    await add(world, ["a", "b"]);
    const worker = world.handWorker({ lockDuration: 30_000 });
    const job = (await take(worker, "mine"))!;
    assert.equal(await job.extendLock("mine", 30_000), 1);
    assert.equal(await job.extendLock("other", 30_000), 0);
    await assert.rejects(job.moveToCompleted("x", "other", false), /Lock mismatch for job a\. Cmd moveToFinished/);
    await assert.rejects(job.moveToDelayed(Date.now() + 9, "other"), /Lock mismatch for job a\. Cmd moveToDelayed/);
    await job.moveToCompleted("x", "mine", false);
    await assert.rejects(job.moveToCompleted("x", "mine", false), /Missing lock for job a\. moveToFinished/);
    const waiting = (await queue.getJob("b"))!;
    await assert.rejects(waiting.moveToCompleted("x", "0", false), /Job b is not in the active state\. moveToFinished/);
    await waiting.remove();
    await assert.rejects(waiting.moveToCompleted("x", "0", false), /Missing key for job b\. moveToFinished/);
  },

  "a stalled job is processed again, then fails": async (world) => {
    const queue = world.queue();
    await add(world, ["a"]);
    for (let crash = 0; crash < 2; crash += 1) {
      const crashed = world.handWorker({ lockDuration: 50 });
      assert.equal((await take(crashed, `gone-${crash}`))?.id, "a");
      const checker = world.handWorker({ stalledInterval: 60, maxStalledCount: 1 });
      const stalled = collect(checker, "stalled", 1);
      await checker.startStalledCheckTimer();
      assert.equal((await stalled)[0]?.[0], "a");
      await checker.close();
    }
    const worker = world.worker(async () => {}, { maxStalledCount: 1 });
    const failed = (await collect(worker, "failed", 1)) as [[Job, Error]];
    assert.match(failed[0][1].message, /job stalled more than allowable limit/);
    assert.equal((await queue.getJob("a"))?.stalledCounter, 2);
  },

  "metrics count finished jobs": async (world) => {
    const queue = world.queue();
    await add(world, ["a", "b", "c"]);
    const worker = world.worker(async () => {}, { metrics: { maxDataPoints: 10 } });
    await collect(worker, "completed", 3);
    const metrics = await queue.getMetrics("completed");
    assert.equal(metrics.meta.count, 3);
    assert.ok(Math.abs(metrics.meta.prevTS - Date.now()) < 60_000);
    assert.equal((await queue.getMetrics("failed")).meta.count, 0);
  },

  "workers are listed": async (world) => {
    const queue = world.queue();
    assert.deepEqual(await queue.getWorkers(), []);
    const worker = world.worker(async () => {}, { name: "alice" });
    await worker.waitUntilReady();
    const [listed] = await queue.getWorkers();
    assert.equal(listed?.name, queue.name);
    assert.match(listed?.rawname ?? "", /:w:alice$/);
    await worker.close();
    assert.equal(await queue.getWorkersCount(), 0);
  },
});
