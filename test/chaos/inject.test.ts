/** Faults run one after the other per target, are recorded, and do not begin after the end of the run. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Fault } from "./faults.ts";
import { inject } from "./inject.ts";
import type { Target } from "./world.ts";

const kill = (target: Fault["target"], at: number): Fault => ({ target, kind: "kill", at, ms: 1 });

describe("inject", () => {
  it("skips faults that are too late, and records the start, mending and end of the others", async () => {
    const steps: string[] = [];
    const target = (name: string, mendMs: number): Target => ({
      begin: () => void steps.push(`${name} gone`),
      mend: async () => {
        await delay(mendMs);
        steps.push(`${name} back`);
      },
    });
    const targets = { redis: target("redis", 1_200), broker: target("broker", 1) };
    const faults = [kill("redis", 0), kill("broker", 1), kill("redis", 20), kill("broker", 30)];
    const { happened, trouble, done } = inject(faults, targets as Record<Fault["target"], Target>, 1_000, () => {});
    await done;
    assert.deepEqual(trouble, []);
    assert.deepEqual(
      steps.filter((step) => step.startsWith("redis")),
      ["redis gone", "redis back"],
    );
    assert.equal(steps.filter((step) => step === "broker back").length, 2);
    const slow = happened.find((one) => one.target === "redis")!;
    assert.ok(slow.from <= slow.until && slow.until + 1_000 < slow.to, JSON.stringify(slow));
  });

  it("reports faults that a target could not carry out", async () => {
    const failing: Target = { begin: () => Promise.reject(new Error("it is not there")), mend: () => {} };
    const targets = { redis: failing } as Record<Fault["target"], Target>;
    const { trouble, done } = inject([kill("redis", 0)], targets, 1_000, () => {});
    await done;
    assert.deepEqual(trouble, ["redis: it is not there"]);
  });
});
