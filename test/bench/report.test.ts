/** Results of the benchmark: ratios per round, drift, verdicts and the table. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { againstOther, driftOf, overallDrift, ratioToBare, typical } from "../../bench/support/comparison.ts";
import { median } from "../../bench/support/figures.ts";
import { allMet, driftLine, judge, type Result, table, tableRows } from "../../bench/support/report.ts";
import type { Round } from "../../bench/support/scenario.ts";

/** The machine runs at half speed in the second round. */
const ROUNDS: Round[] = [
  { bridge: { rate: 900, cpu: 50 }, bare: { rate: 1_000 }, other: { rate: 1_000, cpu: 40 } },
  { bridge: { rate: 450, cpu: 50 }, bare: { rate: 500 }, other: { rate: 450, cpu: 50 } },
  { bridge: { rate: 1_000, cpu: 50 }, bare: { rate: 1_000 }, other: { rate: 800, cpu: 50 } },
];

describe("the median", () => {
  it("is the middle value, or the mean of the two middle values", () => {
    assert.equal(median([3, 1, 2]), 2);
    assert.equal(median([4, 1, 2, 3]), 2.5);
    assert.equal(median([7]), 7);
    assert.equal(median([]), Number.NaN);
  });
});

describe("comparisons", () => {
  it("use the ratio of each round and the median of the ratios", () => {
    assert.equal(ratioToBare(ROUNDS, "rate"), 0.9);
    assert.equal(typical(ROUNDS, "bridge", "rate"), 900);
  });

  it("show the other checkout per figure, with its spread", () => {
    assert.deepEqual(againstOther(ROUNDS, ["rate", "cpu"]), {
      rate: { min: 0.9, median: 1, max: 1.25 },
      cpu: { min: 1, median: 1, max: 1.25 },
    });
    assert.deepEqual(againstOther([{ bridge: { rate: 1 } }], ["rate"]), {});
  });

  it("show the drift of the machine by the bare side only", () => {
    assert.deepEqual(driftOf(ROUNDS, "rate"), { min: 500, median: 1_000, max: 1_000 });
    assert.equal(driftOf([{ bridge: { rate: 1 } }], "rate"), undefined);
    const small = [4, 4, 5].map((p50) => ({ bridge: {}, bare: { p50 } }));
    assert.deepEqual(
      overallDrift([
        { rounds: ROUNDS, key: "rate" },
        { rounds: small, key: "p50" },
      ]),
      { min: 0.5, median: 1, max: 1.25 },
    );
    assert.match(driftLine(undefined), /unknown/);
  });
});

describe("the table", () => {
  const scenario = { name: "publish", title: "", targets: [{ metric: "ratio", unit: "x" as const, atLeast: 0.8 }] };
  const done: Result = {
    scenario,
    figures: { bridge: "900/s" },
    verdicts: judge(scenario, { measured: { ratio: 0.9 }, figures: {} }),
    rounds: ROUNDS,
    drift: driftOf(ROUNDS, "rate"),
    against: againstOther(ROUNDS, ["rate"]),
    seconds: 20,
    budget: 24,
  };

  it("shows the rounds, the drift, the other checkout and the figures", () => {
    const row = tableRows(done);
    assert.match(row, /^publish {2,}ratio 0\.90 x {2,}≥ 0\.8 {2,}met {2,}3 {2,}500 \/ 1000 \/ 1000 \(50 %\) /);
    assert.match(row, /this\/other rate 0\.90 \/ 1\.00 \/ 1\.25 · bridge 900\/s\n$/);
  });

  it("marks a scenario that was cut short and judges it by its complete rounds", () => {
    const cut = { ...done, rounds: ROUNDS.slice(0, 1), cut: "stopped after 36 s" };
    assert.match(tableRows(cut), / met +1 CUT .*CUT: stopped after 36 s · /);
    assert.equal(allMet([cut]), true);
  });

  it("shows a scenario without figures as failed", () => {
    const failed = { ...done, error: "no bridge", figures: undefined, verdicts: judge(scenario, undefined) };
    assert.match(tableRows(failed), /ratio – x +≥ 0\.8 +FAILED .*no bridge/);
    assert.equal(allMet([done, failed]), false);
  });

  it("aligns the columns of all results", () => {
    const long = { ...done, scenario: { name: "a-name-longer-than-the-column", title: "" } };
    const [head, rule, ...rows] = table([done, long]).trimEnd().split("\n") as [string, string, ...string[]];
    assert.equal(head.indexOf("measured"), rows[1]!.indexOf("ratio"));
    assert.equal(rows[0]!.indexOf("ratio"), rows[1]!.indexOf("ratio"));
    assert.match(rule, /^-{29} {2}-+/);
  });
});
