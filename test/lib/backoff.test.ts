import assert from "node:assert/strict";
import { it } from "node:test";
import { backoffMs, withJitter } from "../../src/lib/backoff.ts";

it("back-off doubles from the first pause to the longest one", () => {
  assert.deepEqual(
    [0, 1, 2, 3, 4, 5, 2_000].map((failures) => backoffMs(failures, 50, 300)),
    [50, 50, 100, 200, 300, 300, 300],
  );
});

it("jitter takes off at most half", () => {
  assert.deepEqual(
    [0, 0.5, 0.999].map((random) => withJitter(100, () => random)),
    [50, 75, 100],
  );
  for (let i = 0; i < 100; i++) {
    const ms = withJitter(1_000);
    assert.ok(ms >= 500 && ms <= 1_000, String(ms));
  }
});
