/** Readiness: the verdict of the probes, their time limit, and how often they run. */
import assert from "node:assert/strict";
import { EventEmitter } from "node:events";
import { describe, it } from "node:test";
import type { Queue, Worker } from "bullmq";
import { Canary, type Check, createReadiness, type Probes } from "../../src/ops/health.ts";

const up = () => ({ ok: true });

describe("readiness", () => {
  const cases: [reason: string, probes: Probes, status: string, checks: Record<string, Check>][] = [
    ["is given without probes", {}, "ready", {}],
    [
      "is given if all probes succeed",
      { a: up, b: async () => ({ ok: true }) },
      "ready",
      { a: { ok: true }, b: { ok: true } },
    ],
    [
      "keeps the detail of a success",
      { a: () => ({ ok: true, detail: "held by b" }) },
      "ready",
      { a: { ok: true, detail: "held by b" } },
    ],
    [
      "is missing if one of two fails",
      { a: up, b: () => ({ ok: false, detail: "offline" }) },
      "unavailable",
      { a: { ok: true }, b: { ok: false, detail: "offline" } },
    ],
    [
      "is missing if a probe rejects",
      { a: () => Promise.reject(new Error("gone")) },
      "unavailable",
      { a: { ok: false, detail: "gone" } },
    ],
    [
      "is missing if a probe throws",
      {
        a: () => {
          throw new Error("broken");
        },
        b: up,
      },
      "unavailable",
      { a: { ok: false, detail: "broken" }, b: { ok: true } },
    ],
  ];
  for (const [reason, probes, status, checks] of cases) {
    it(reason, async () => assert.deepEqual(await createReadiness(probes)(), { status, checks }));
  }

  const limits: [reason: string, afterMs: number, check: Check][] = [
    ["is given by a probe just within the limit", 1_999, { ok: true }],
    ["is missing if a probe takes longer", 2_001, { ok: false, detail: "no answer within 2 s" }],
  ];
  for (const [reason, afterMs, check] of limits) {
    it(reason, async (t) => {
      t.mock.timers.enable({ apis: ["setTimeout", "Date"] });
      const slow = () => new Promise<Check>((resolve) => void setTimeout(() => resolve({ ok: true }), afterMs));
      const readiness = createReadiness({ slow })();
      t.mock.timers.tick(afterMs);
      assert.deepEqual((await readiness).checks, { slow: check });
    });
  }

  const reuse: [reason: string, afterMs: number, runs: number][] = [
    ["is shared by simultaneous calls", 0, 1],
    ["is reused for 200 ms", 200, 1],
    ["is probed again after that", 201, 2],
  ];
  for (const [reason, afterMs, runs] of reuse) {
    it(reason, async (t) => {
      t.mock.timers.enable({ apis: ["Date"] });
      let probed = 0;
      const readiness = createReadiness({ a: () => ({ ok: true, detail: String(++probed) }) });
      const first = readiness();
      t.mock.timers.tick(afterMs);
      const { checks } = await readiness();
      await first;
      assert.deepEqual([probed, checks.a?.detail], [runs, String(runs)]);
    });
  }
});

describe("the canary", () => {
  /** Opens a queue and a worker; `work` processes an added job. */
  function canaryWith(work: (id: string, completed: (id: string) => void) => Promise<void> | void) {
    const worker = Object.assign(new EventEmitter(), { close: () => Promise.reject(new Error("closed")) });
    const closed: string[] = [];
    const names: string[] = [];
    const queue = {
      add: async (_name: string, _data: object, { jobId }: { jobId: string }) =>
        work(jobId, (id) => void worker.emit("completed", { id })),
      obliterate: async () => void closed.push("obliterate"),
      close: async () => void closed.push("close"),
    };
    const canary = new Canary({
      queue: (name) => {
        names.push(name);
        return queue as unknown as Queue;
      },
      worker: (name) => {
        names.push(name);
        return worker as unknown as Worker;
      },
    });
    canary.start();
    return { canary, closed, names };
  }

  it("fails before it is started", async () => {
    const canary = new Canary({ queue: () => assert.fail("opened"), worker: () => assert.fail("opened") });
    assert.deepEqual(await canary.probe(), { ok: false, detail: "not started yet" });
  });

  it("succeeds once its own job is completed", async () => {
    const { canary } = canaryWith((id, completed) => {
      completed("another");
      setImmediate(() => completed(id));
    });
    assert.deepEqual(await canary.probe(), { ok: true });
    assert.deepEqual(await canary.probe(), { ok: true }, "with another id");
  });

  it("succeeds if the job is completed before the store has confirmed it", async () => {
    const { canary } = canaryWith((id, completed) => completed(id));
    assert.deepEqual(await canary.probe(), { ok: true });
  });

  it("does not succeed with the job of another probe", async (t) => {
    t.mock.timers.enable({ apis: ["setTimeout"] });
    const { canary } = canaryWith((id, completed) => completed(`${id}0`));
    const readiness = createReadiness({ consumption: () => canary.probe() })();
    await new Promise(setImmediate);
    t.mock.timers.tick(2_000);
    const { checks } = await readiness;
    assert.deepEqual(checks, { consumption: { ok: false, detail: "no answer within 2 s" } });
  });

  it("fails if the store refuses the job", async () => {
    const { canary } = canaryWith(() => Promise.reject(new Error("read only")));
    const { checks } = await createReadiness({ consumption: () => canary.probe() })();
    assert.deepEqual(checks, { consumption: { ok: false, detail: "read only" } });
  });

  it("has a queue of its own, and removes it also if the worker fails to close", async () => {
    const { canary, closed, names } = canaryWith(() => {});
    const [name, other] = [names[0]!, canaryWith(() => {}).names[0]!];
    assert.deepEqual(names, [name, name]);
    assert.match(name, new RegExp(`^canary-${process.pid}-`));
    assert.notEqual(other, name);
    await canary.stop();
    assert.deepEqual(closed, ["obliterate", "close"]);
  });
});
