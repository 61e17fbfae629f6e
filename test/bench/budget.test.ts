/** Time rules of the benchmark: budgets, number and size of rounds, order of the sides. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { anotherRound, budgetOf, limitOf, orderOf, sized } from "../../bench/support/budget.ts";

describe("the budget of a scenario", () => {
  it("equals its share while the run is on schedule", () => {
    assert.equal(budgetOf(60, [10, 20, 30]), 10);
  });

  it("shrinks and grows with the remaining time, within bounds", () => {
    assert.equal(budgetOf(48, [10, 20, 30]), 8);
    assert.equal(budgetOf(90, [10, 20, 30]), 15);
    assert.equal(budgetOf(-5, [10, 20, 30]), 6);
    assert.equal(budgetOf(600, [10]), 20);
  });

  it("may be exceeded by half, and up to the patience while no round is complete", () => {
    assert.equal(limitOf({ budget: 20, patience: 100, done: 1 }), 30);
    assert.equal(limitOf({ budget: 20, patience: 100, done: 0 }), 100);
    assert.equal(limitOf({ budget: 80, patience: 100, done: 0 }), 120);
  });
});

describe("another round", () => {
  const progress = { done: 2, elapsed: 20, longest: 8, budget: 30, most: 6 };

  it("starts if it is likely to end within the budget", () => {
    assert.equal(anotherRound(progress), true);
    assert.equal(anotherRound({ ...progress, elapsed: 22 }), true);
    assert.equal(anotherRound({ ...progress, elapsed: 22.1 }), false);
  });

  it("always starts while there is no complete round", () => {
    assert.equal(anotherRound({ ...progress, done: 0, elapsed: 100, longest: 0 }), true);
  });

  it("follows --rounds instead of the budget, up to the scenario's maximum", () => {
    assert.equal(anotherRound({ ...progress, asked: 3, elapsed: 100 }), true);
    assert.equal(anotherRound({ ...progress, asked: 2, elapsed: 0 }), false);
    assert.equal(anotherRound({ ...progress, asked: 6, most: 1 }), false);
  });
});

describe("the size of a round", () => {
  const bounds = { least: 5_000, most: 20_000 };

  it("covers the given number of seconds, rounded to thousands of messages", () => {
    assert.equal(sized(2_345, 4, bounds), 9_000);
  });

  it("stays within its bounds", () => {
    assert.equal(sized(100, 4, bounds), 5_000);
    assert.equal(sized(50_000, 4, bounds), 20_000);
  });
});

describe("the order of the sides", () => {
  it("lets each side start in turn", () => {
    const sides = ["bare", "bridge", "other"];
    assert.deepEqual(
      [0, 1, 2, 3].map((round) => orderOf(sides, round)),
      [sides, ["bridge", "other", "bare"], ["other", "bare", "bridge"], sides],
    );
  });

  it("is stable for one side", () => {
    assert.deepEqual(orderOf(["bridge"], 5), ["bridge"]);
  });
});
