import assert from "node:assert/strict";
import { WaitingChildrenError } from "bullmq";
import { collect, conformance, idsOf, type Job, take, type World } from "./conformance.ts";

/** A parent with two children in another queue. */
async function family(world: World, childOptions: object = {}) {
  const children = `${world.name}-children`;
  const { job: parent } = await world.flow().add({
    name: "parent",
    queueName: world.name,
    data: {},
    opts: { jobId: "parent" },
    children: ["one", "two"].map((jobId) => ({
      name: "child",
      queueName: children,
      data: {},
      opts: { jobId, ...childOptions },
    })),
  });
  return { parent, children };
}

conformance("flows and schedulers", {
  "a parent waits for its children and gets their results": async (world) => {
    const { parent, children } = await family(world);
    assert.equal(await parent.getState(), "waiting-children");
    assert.equal(await world.queue().getWaitingChildrenCount(), 1);
    assert.deepEqual(await parent.getDependenciesCount(), { failed: 0, ignored: 0, processed: 0, unprocessed: 2 });
    const worker = world.worker(async (job: Job) => job.getChildrenValues());
    const completed = collect(worker, "completed", 1);
    world.worker(async (job) => `result ${job.id}`, {}, children);
    const [[, values]] = (await completed) as [[Job, object]];
    const key = (id: string) => `bull:${children}:${id}`;
    assert.deepEqual(values, { [key("one")]: "result one", [key("two")]: "result two" });
    assert.deepEqual(Object.keys((await parent.getDependencies()).processed ?? {}).sort(), [key("one"), key("two")]);
  },

  "a flow can be read as a tree": async (world) => {
    const { children } = await family(world);
    const tree = await world.flow().getFlow({ id: "parent", queueName: world.name });
    assert.deepEqual(idsOf((tree.children ?? []).map(({ job }) => job)).sort(), ["one", "two"]);
    assert.equal(tree.children?.[0]?.job.queueName, children);
  },

  "failParentOnFailure fails the parent": async (world) => {
    const { children } = await family(world, { failParentOnFailure: true });
    const worker = world.worker(async () => {});
    const failed = collect(worker, "failed", 1);
    const child = (await take(world.handWorker({}, children), "t"))!;
    await child.moveToFailed(new Error("x"), "t", false);
    const [[job, error]] = (await failed) as [[Job, Error]];
    assert.equal(job.id, "parent");
    assert.equal(error.message, `child bull:${children}:one failed`);
  },

  "ignoreDependencyOnFailure goes on without the child": async (world) => {
    const { parent, children } = await family(world, { ignoreDependencyOnFailure: true });
    const worker = world.handWorker({}, children);
    await (await take(worker, "t"))!.moveToFailed(new Error("broken"), "t", false);
    assert.equal(await parent.getState(), "waiting-children");
    await (await take(worker, "t"))!.moveToCompleted("fine", "t", false);
    assert.equal(await parent.getState(), "waiting");
    assert.deepEqual(await parent.getIgnoredChildrenFailures(), { [`bull:${children}:one`]: "broken" });
  },

  "continueParentOnFailure goes on at once": async (world) => {
    const { parent, children } = await family(world, { continueParentOnFailure: true });
    await (await take(world.handWorker({}, children), "t"))!.moveToFailed(new Error("broken"), "t", false);
    assert.equal(await parent.getState(), "waiting");
    await parent.removeUnprocessedChildren();
    assert.equal(await world.queue({}, children).getWaitingCount(), 0);
  },

  "removing a parent removes its children": async (world) => {
    const { parent, children } = await family(world);
    await parent.remove();
    assert.equal(await world.queue({}, children).getJob("one"), undefined);
    assert.equal(await world.queue().getJob("parent"), undefined);
  },

  "removing or detaching the children releases the parent": async (world) => {
    const { parent, children } = await family(world);
    const queue = world.queue({}, children);
    await (await queue.getJob("one"))!.remove();
    assert.equal(await parent.getState(), "waiting-children");
    assert.equal(await (await queue.getJob("two"))!.removeChildDependency(), true);
    assert.equal(await parent.getState(), "waiting");
  },

  "a job can add children while it runs and wait for them": async (world) => {
    const children = `${world.name}-children`;
    const queue = world.queue();
    let steps = 0;
    const worker = world.worker(async (job, token) => {
      steps += 1;
      if (steps > 1) return "both";
      const parent = { id: job.id!, queue: job.queueQualifiedName };
      await world.queue({}, children).add("child", {}, { jobId: "child", parent });
      assert.equal(await job.moveToWaitingChildren(token!), true);
      throw new WaitingChildrenError();
    });
    const completed = collect(worker, "completed", 1);
    await queue.add("a", {}, { jobId: "a" });
    world.worker(async () => {}, {}, children);
    assert.equal((await completed)[0]?.[1], "both");
  },

  "a child of a missing parent is refused": async (world) => {
    const parent = { id: "missing", queue: `bull:${world.name}` };
    await assert.rejects(world.queue().add("a", {}, { parent }), /Missing key for parent job bull:.*:missing\. addJob/);
  },

  "a scheduler adds one job at a time": async (world) => {
    const queue = world.queue();
    const job = await queue.upsertJobScheduler("tick", { every: 60_000 }, { name: "tick", data: { n: 1 } });
    assert.match(job?.id ?? "", /^repeat:tick:\d+$/);
    assert.equal(await queue.getJobSchedulersCount(), 1);
    const scheduler = (await queue.getJobScheduler("tick"))!;
    assert.deepEqual([scheduler.key, scheduler.name, scheduler.every], ["tick", "tick", 60_000]);
    const worker = world.worker(async (done) => done.data);
    const completed = collect(worker, "completed", 1);
    assert.deepEqual((await completed)[0]?.[1], { n: 1 });
    const [next] = await queue.getDelayed();
    assert.match(next?.id ?? "", /^repeat:tick:\d+$/);
    assert.notEqual(next?.id, job?.id);
    await assert.rejects(next!.remove(), /belongs to a job scheduler/);
    assert.equal(await queue.removeJobScheduler("tick"), true);
    assert.equal(await queue.getDelayedCount(), 0);
    assert.equal(await queue.getJobSchedulersCount(), 0);
  },

  "a scheduler with a pattern can be changed": async (world) => {
    const queue = world.queue();
    await queue.upsertJobScheduler("daily", { pattern: "0 0 1 1 *" }, { name: "a" });
    await queue.upsertJobScheduler("daily", { pattern: "0 0 2 1 *" }, { name: "b" });
    const delayed = await queue.getDelayed();
    assert.deepEqual(
      delayed.map(({ name }) => name),
      ["b"],
    );
    assert.deepEqual(
      (await queue.getJobSchedulers()).map(({ key, pattern }) => [key, pattern]),
      [["daily", "0 0 2 1 *"]],
    );
  },
});
