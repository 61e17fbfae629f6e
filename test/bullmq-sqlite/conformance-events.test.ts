import assert from "node:assert/strict";
import { setTimeout as delay } from "node:timers/promises";
import { eventually } from "../support/eventually.ts";
import { collect, conformance, idsOf, once, take } from "./conformance.ts";

conformance("events and deduplication", {
  "the events of a job, in order": async (world) => {
    const queue = world.queue();
    const events = world.events();
    const seen: unknown[] = [];
    for (const name of ["added", "waiting", "active", "progress", "completed", "drained"] as const) {
      events.on(name, (fields: unknown) => seen.push(name === "drained" ? [name] : [name, fields]));
    }
    const drained = once(events, "drained");
    await queue.add("a", {}, { jobId: "a" });
    world.worker(async (job) => {
      await job.updateProgress(50);
      return { ok: true };
    });
    await drained;
    assert.deepEqual(seen, [
      ["added", { jobId: "a", name: "a" }],
      ["waiting", { jobId: "a" }],
      ["active", { jobId: "a", prev: "waiting" }],
      ["progress", { jobId: "a", data: 50 }],
      ["completed", { jobId: "a", returnvalue: { ok: true }, prev: "active" }],
      ["drained"],
    ]);
  },

  "waitUntilFinished gives the result or the error": async (world) => {
    const queue = world.queue();
    const events = world.events();
    world.worker(async (job) => {
      if (job.name === "bad") throw new Error("no");
      return "yes";
    });
    const [good, bad] = [await queue.add("good", {}), await queue.add("bad", {})];
    assert.equal(await good.waitUntilFinished(events), "yes");
    await assert.rejects(bad.waitUntilFinished(events), /no/);
    assert.equal(await good.waitUntilFinished(events), "yes");
    const missing = await queue.add("gone", {}, { delay: 60_000 });
    await missing.remove();
    await assert.rejects(missing.waitUntilFinished(events), /Missing key for job .*\. isFinished/);
  },

  "a reader without a last event sees only new events": async (world) => {
    const queue = world.queue();
    await queue.add("before", {}, { jobId: "before" });
    const events = world.events({ lastEventId: undefined });
    await events.waitUntilReady();
    await delay(100);
    const added = collect(events, "added", 1);
    await queue.add("after", {}, { jobId: "after" });
    assert.deepEqual((await added)[0]?.[0], { jobId: "after", name: "after" });
  },

  "the event stream can be trimmed": async (world) => {
    const queue = world.queue();
    await queue.addBulk(Array.from({ length: 50 }, () => ({ name: "a", data: {} })));
    await queue.trimEvents(0);
    const events = world.events();
    const added = collect(events, "added", 1);
    await queue.add("a", {}, { jobId: "last" });
    assert.deepEqual((await added)[0]?.[0], { jobId: "last", name: "a" });
  },

  "simple deduplication: until the job is finished": async (world) => {
    const queue = world.queue();
    const events = world.events();
    const deduplicated = collect(events, "deduplicated", 1);
    const options = { deduplication: { id: "d" } };
    const first = await queue.add("a", { n: 1 }, options);
    const second = await queue.add("a", { n: 2 }, options);
    assert.equal(second.id, first.id);
    assert.equal(await queue.getDeduplicationJobId("d"), first.id);
    assert.equal(await queue.getWaitingCount(), 1);
    const [fields] = (await deduplicated)[0] as [Record<string, string>];
    assert.deepEqual([fields.jobId, fields.deduplicationId], [first.id, "d"]);
    const job = (await take(world.handWorker(), "t"))!;
    assert.equal(job.deduplicationId, "d");
    await job.moveToCompleted("x", "t", false);
    assert.equal(await queue.getDeduplicationJobId("d"), null);
    assert.notEqual((await queue.add("a", {}, options)).id, first.id);
  },

  "throttle: for a time": async (world) => {
    const queue = world.queue();
    const worker = world.handWorker();
    const add = (id: string, ttl: number) => queue.add("a", {}, { deduplication: { id, ttl } });
    const finish = async () => (await take(worker, "t"))!.moveToCompleted("x", "t", false);
    const long = await add("long", 60_000);
    await finish();
    assert.equal((await add("long", 60_000)).id, long.id);
    const short = await add("short", 100);
    await finish();
    await eventually(async () => (await queue.getDeduplicationJobId("short")) === null, "the time has passed");
    assert.notEqual((await add("short", 100)).id, short.id);
    assert.equal((await add("long", 60_000)).id, long.id);
  },

  "debounce: the newest delayed job replaces the one before": async (world) => {
    const queue = world.queue();
    const options = { delay: 60_000, deduplication: { id: "d", ttl: 60_000, extend: true, replace: true } };
    await queue.add("a", { n: 1 }, { ...options, jobId: "one" });
    await queue.add("a", { n: 2 }, { ...options, jobId: "two" });
    assert.deepEqual(idsOf(await queue.getDelayed()), ["two"]);
    assert.equal(await queue.getDeduplicationJobId("d"), "two");
  },

  "keepLastIfActive: the newest job follows the active one": async (world) => {
    const queue = world.queue();
    const deduplication = { id: "d", keepLastIfActive: true };
    await queue.add("a", { n: 1 }, { jobId: "one", deduplication });
    const worker = world.handWorker();
    const job = (await take(worker, "t"))!;
    for (const n of [2, 3]) assert.equal((await queue.add("a", { n }, { jobId: `job-${n}`, deduplication })).id, "one");
    assert.equal(await queue.getWaitingCount(), 0);
    await job.moveToCompleted("x", "t", false);
    const next = (await take(worker, "t"))!;
    assert.deepEqual([next.id, next.data], ["job-3", { n: 3 }]);
  },

  "a deduplication key can be freed": async (world) => {
    const queue = world.queue();
    const options = { deduplication: { id: "d" } };
    const first = await queue.add("a", {}, options);
    assert.equal(await queue.removeDeduplicationKey("d"), 1);
    const second = await queue.add("a", {}, options);
    assert.notEqual(second.id, first.id);
    assert.equal(await first.removeDeduplicationKey(), false);
    assert.equal(await second.removeDeduplicationKey(), true);
    const third = await queue.add("a", {}, options);
    await third.remove();
    assert.equal(await queue.getDeduplicationJobId("d"), null);
  },
});
