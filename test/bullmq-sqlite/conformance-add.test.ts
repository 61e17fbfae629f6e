import assert from "node:assert/strict";
import { collect, conformance, idsOf, Job, take } from "./conformance.ts";

conformance("adding", {
  "a job keeps its name, data and options": async (world) => {
    const queue = world.queue();
    const before = Date.now();
    const { id } = await queue.add("paint", { colour: "blue" }, { attempts: 3, backoff: { type: "custom" } });
    const job = (await queue.getJob(id!))!;
    assert.equal(job.name, "paint");
    assert.deepEqual(job.data, { colour: "blue" });
    assert.equal(job.opts.attempts, 3);
    assert.deepEqual(job.opts.backoff, { type: "custom" });
    assert.equal(job.attemptsMade, 0);
    assert.equal(job.progress, 0);
    assert.equal(job.delay, 0);
    assert.equal(job.priority, 0);
    assert.equal(job.returnvalue, null);
    assert.equal(job.finishedOn, undefined);
    assert.equal(job.processedOn, undefined);
    assert.ok(job.timestamp >= before);
    assert.equal(await job.getState(), "waiting");
    assert.equal(await queue.getJob("missing"), undefined);
  },

  "ids count up, also past a job with an id of its own": async (world) => {
    const queue = world.queue();
    const ids = [];
    for (const jobId of [undefined, "own", undefined]) ids.push((await queue.add("a", {}, { jobId })).id);
    assert.deepEqual(ids, ["1", "own", "3"]);
  },

  "a second job with the same id is ignored": async (world) => {
    const queue = world.queue();
    const events = world.events();
    const duplicated = collect(events, "duplicated", 1);
    await queue.add("first", { n: 1 }, { jobId: "same" });
    const second = await queue.add("second", { n: 2 }, { jobId: "same" });
    assert.equal(second.id, "same");
    assert.equal((await queue.getJob("same"))?.name, "first");
    assert.equal(await queue.getWaitingCount(), 1);
    assert.deepEqual((await duplicated)[0]?.[0], { jobId: "same" });
  },

  "addBulk keeps the order and returns the ids": async (world) => {
    const queue = world.queue();
    const jobs = await queue.addBulk([1, 2, 3].map((n) => ({ name: "n", data: n, opts: { jobId: `job-${n}` } })));
    assert.deepEqual(idsOf(jobs), ["job-1", "job-2", "job-3"]);
    const worker = world.handWorker();
    assert.equal((await take(worker, "a"))?.id, "job-1");
    assert.equal((await take(worker, "b"))?.id, "job-2");
  },

  "first in, first out; lifo goes first": async (world) => {
    const queue = world.queue();
    await queue.add("a", {}, { jobId: "first" });
    await queue.add("a", {}, { jobId: "second" });
    await queue.add("a", {}, { jobId: "lifo", lifo: true });
    const worker = world.handWorker();
    const taken = [await take(worker, "a"), await take(worker, "b"), await take(worker, "c"), await take(worker, "d")];
    assert.deepEqual(idsOf(taken), ["lifo", "first", "second", undefined]);
  },

  "priorities: jobs without one first, then the lowest number, in order of arrival": async (world) => {
    const queue = world.queue();
    for (const [jobId, priority] of Object.entries({ low: 10, high: 1, high2: 1, none: 0 })) {
      await queue.add("a", {}, { jobId, priority });
    }
    assert.equal(await (await queue.getJob("low"))?.getState(), "prioritized");
    assert.deepEqual(await queue.getCountsPerPriority([0, 1, 10, 11]), { 0: 1, 1: 2, 10: 1, 11: 0 });
    assert.equal(await queue.getPrioritizedCount(), 3);
    const worker = world.handWorker();
    const taken = [];
    for (const token of ["a", "b", "c", "d"]) taken.push(await take(worker, token));
    assert.deepEqual(idsOf(taken), ["none", "high", "high2", "low"]);
  },

  "the priority of a waiting job can be changed": async (world) => {
    const queue = world.queue();
    for (const jobId of ["one", "two", "three"]) await queue.add("a", {}, { jobId, priority: 5 });
    const [two, three] = [(await queue.getJob("two"))!, (await queue.getJob("three"))!];
    await two.changePriority({ priority: 0 });
    await three.changePriority({ priority: 5, lifo: true });
    assert.equal(await two.getState(), "waiting");
    assert.equal((await queue.getJob("three"))?.priority, 5);
    const worker = world.handWorker();
    assert.deepEqual(idsOf([await take(worker, "a"), await take(worker, "b"), await take(worker, "c")]), [
      "two",
      "three",
      "one",
    ]);
    await assert.rejects(
      queue.add("a", {}, { jobId: "x" }).then((job) => job.remove().then(() => job.changePriority({ priority: 1 }))),
      /Missing key for job x/,
    );
  },

  "a delayed job is taken when it is due": async (world) => {
    const queue = world.queue();
    const worker = world.worker(async () => Date.now());
    const completed = collect(worker, "completed", 1);
    const added = Date.now();
    const job = await queue.add("later", {}, { delay: 300 });
    assert.equal(await job.getState(), "delayed");
    assert.equal(await queue.getDelayedCount(), 1);
    const [[, at]] = (await completed) as [[Job, number]];
    assert.ok(at - added >= 299, `taken after ${at - added} ms`);
    assert.equal((await queue.getJob(job.id!))?.delay, 0);
  },

  "delayed jobs of one millisecond keep their order": async (world) => {
    const queue = world.queue();
    const timestamp = Date.now();
    for (const jobId of ["a", "b", "c"]) await queue.add("x", {}, { jobId, delay: 50, timestamp });
    assert.deepEqual(idsOf(await queue.getDelayed()), ["a", "b", "c"]);
    await new Promise((resolve) => setTimeout(resolve, 60));
    const worker = world.handWorker();
    assert.deepEqual(idsOf([await take(worker, "1"), await take(worker, "2"), await take(worker, "3")]), [
      "a",
      "b",
      "c",
    ]);
  },

  "a delay can be changed, and a delayed job promoted": async (world) => {
    const queue = world.queue();
    const job = await queue.add("a", {}, { jobId: "a", delay: 60_000 });
    await queue.add("a", {}, { jobId: "b", delay: 30_000 });
    assert.deepEqual(idsOf(await queue.getDelayed()), ["b", "a"]);
    await job.changeDelay(1_000);
    assert.deepEqual(idsOf(await queue.getDelayed()), ["a", "b"]);
    assert.equal((await queue.getJob("a"))?.delay, 1_000);
    await job.promote();
    assert.equal(await job.getState(), "waiting");
    assert.equal((await queue.getJob("a"))?.delay, 0);
    await assert.rejects(job.promote(), /Job a is not in the delayed state\. promote/);
    await assert.rejects(job.changeDelay(1), /Job a is not in the delayed state\. changeDelay/);
  },

  "all delayed jobs can be promoted": async (world) => {
    const queue = world.queue();
    for (const jobId of ["a", "b", "c"]) await queue.add("x", {}, { jobId, delay: 60_000 });
    await queue.promoteJobs({ count: 2 });
    assert.equal(await queue.getDelayedCount(), 0);
    assert.equal(await queue.getWaitingCount(), 3);
  },

  "a sooner delayed job shortens the wait for a later one": async (world) => {
    const queue = world.queue();
    const worker = world.worker(async (job) => job.id);
    await worker.waitUntilReady();
    const completed = collect(worker, "completed", 1);
    await queue.add("x", {}, { jobId: "late", delay: 60_000 });
    await queue.add("x", {}, { jobId: "soon", delay: 100 });
    assert.equal((await completed)[0]?.[1], "soon");
  },

  "data and progress can be updated": async (world) => {
    const queue = world.queue();
    const job = await queue.add("a", { n: 1 });
    await job.updateData({ n: 2 });
    await job.updateProgress({ half: true });
    const stored = (await queue.getJob(job.id!))!;
    assert.deepEqual([stored.data, stored.progress], [{ n: 2 }, { half: true }]);
    await job.remove();
    await assert.rejects(job.updateData({}), /Missing key for job 1\. updateData/);
    await assert.rejects(job.updateProgress(1), /Missing key for job 1\. updateProgress/);
  },

  "logs are kept, limited, paged and cleared": async (world) => {
    const queue = world.queue();
    const job = await queue.add("a", {});
    for (const line of ["one", "two", "three"]) await job.log(line);
    assert.deepEqual(await queue.getJobLogs(job.id!), { logs: ["one", "two", "three"], count: 3 });
    assert.deepEqual(await queue.getJobLogs(job.id!, 0, 1), { logs: ["one", "two"], count: 3 });
    assert.deepEqual(await queue.getJobLogs(job.id!, 0, 1, false), { logs: ["three", "two"], count: 3 });
    assert.equal(await queue.addJobLog(job.id!, "four", 2), 2);
    assert.deepEqual((await queue.getJobLogs(job.id!)).logs, ["three", "four"]);
    await job.clearLogs(1);
    assert.deepEqual((await queue.getJobLogs(job.id!)).logs, ["four"]);
    await job.clearLogs();
    assert.deepEqual(await queue.getJobLogs(job.id!), { logs: [], count: 0 });
    await assert.rejects(Job.addJobLog(queue, "missing", "x"), /Missing key for job missing\. addLog/);
  },
});
