import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Problem } from "../../src/http/problem.ts";
import { requireRate } from "../../src/http/rate-limit.ts";
import { type Allowance, ROOT } from "../../src/keys/caller.ts";

function refusal(act: () => unknown): Problem {
  try {
    act();
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
  assert.fail("it was not refused");
}

describe("the rate limit of a key", () => {
  it("returns what is left, or refuses with the time to wait", () => {
    const left: Allowance = { allowed: true, limit: 10, remaining: 3, resetSeconds: 7 };
    const asked: number[] = [];
    const take = (allowance: Allowance) => (count: number) => {
      asked.push(count);
      return allowance;
    };
    assert.equal(requireRate(ROOT, 5), undefined);
    assert.equal(requireRate({ ...ROOT, take: take(left) }, 5), left);
    const over = { ...ROOT, take: take({ ...left, allowed: false }) };
    const refused = refusal(() => requireRate(over, 4));
    assert.deepEqual(refused.headers, {
      "ratelimit-limit": "10",
      "ratelimit-remaining": "3",
      "ratelimit-reset": "7",
      "retry-after": "7",
    });
    assert.match(refused.detail, /again in 7 s/);
    // Waiting does not help here, and the problem says so.
    assert.match(refusal(() => requireRate(over, 11)).detail, /11 at once are more than/);
    assert.deepEqual(asked, [5, 4, 11]);
  });
});
