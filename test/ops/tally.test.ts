/** Tallies render the same page as prom-client. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Counter, Histogram, Registry } from "prom-client";
import { counter, histogram } from "../../src/ops/tally.ts";
import fc from "../support/property.ts";

const BOUNDS = [0.1, 1, 5];

describe("tallies", () => {
  it("render the same histogram as prom-client", async () => {
    const observation = fc.tuple(fc.constantFrom("a", 'b"\\\n', ""), fc.double({ min: 0, max: 10, noNaN: true }));
    await fc.assert(
      fc.asyncProperty(fc.array(observation), async (observations) => {
        const [ours, theirs] = [new Registry(), new Registry()];
        const mine = histogram({ registry: ours, name: "n", help: "h", label: "webhook" }, BOUNDS);
        const other = new Histogram({
          name: "n",
          help: "h",
          labelNames: ["webhook"],
          buckets: BOUNDS,
          registers: [theirs],
        });
        for (const [webhook, seconds] of observations) {
          mine.observe(seconds, webhook);
          other.observe({ webhook }, seconds);
        }
        assert.deepEqual(lines(await ours.metrics()), lines(await theirs.metrics()));
      }),
    );
  });

  it("render the same counter as prom-client", async () => {
    const [ours, theirs] = [new Registry(), new Registry()];
    const mine = counter({ registry: ours, name: "n_total", help: "h", label: "outcome" });
    const other = new Counter({ name: "n_total", help: "h", labelNames: ["outcome"], registers: [theirs] });
    for (const [outcome, by] of [
      ["sent", 1],
      ["busy", 3],
      ["sent", 2],
    ] as const) {
      mine.inc(outcome, by);
      other.inc({ outcome }, by);
    }
    assert.deepEqual(lines(await ours.metrics()), lines(await theirs.metrics()));
  });

  const steps: [reason: string, observed: number[], buckets: number[], sum: number][] = [
    ["nothing", [], [0, 0, 0, 0], 0],
    ["zero in the first bucket", [0], [1, 1, 1, 1], 0],
    ["a bound in its own bucket", [0.1, 1, 5], [1, 2, 3, 3], 6.1],
    ["just above a bound in the next bucket", [0.1001], [0, 1, 1, 1], 0.1001],
    ["just above the last bound in no bucket but +Inf", [5.0001], [0, 0, 0, 1], 5.0001],
  ];
  for (const [reason, observed, buckets, sum] of steps) {
    it(`count ${reason}`, async () => {
      const registry = new Registry();
      const times = histogram({ registry, name: "n", help: "h" }, BOUNDS);
      for (const seconds of observed) times.observe(seconds);
      const values = [...(await registry.metrics()).matchAll(/^n_\S+ (\S+)$/gm)].map(([, value]) => Number(value));
      assert.deepEqual(values, [...buckets, sum, observed.length]);
    });
  }

  it("start at zero without a label, and forget the values of a removed label", async () => {
    const registry = new Registry();
    counter({ registry, name: "a_total", help: "h" });
    const labelled = counter({ registry, name: "b_total", help: "h", label: "webhook" });
    const times = histogram({ registry, name: "c", help: "h", label: "webhook" }, BOUNDS);
    labelled.inc("wh_1");
    times.observe(1, "wh_1");
    labelled.remove("wh_1");
    times.remove("wh_1");
    const text = await registry.metrics();
    assert.match(text, /^a_total 0$/m);
    assert.doesNotMatch(text, /wh_1/);
  });
});

/** Sorts the lines, since the order of labels, values and lines has no meaning. */
function lines(page: string): string[] {
  return page
    .split("\n")
    .map((line) => line.replace(/\{(.*)\}/, (_, labels: string) => `{${labels.split(",").sort().join(",")}}`))
    .sort();
}
