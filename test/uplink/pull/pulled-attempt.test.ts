/** Outcomes of attempts by consumers. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { acked, expired, nacked } from "../../../src/uplink/pull/pulled-attempt.ts";

const NOW = 5_000;
const taken = (attemptsMade: number) => ({ attemptsMade, retries: 2, takenAt: 2_000 });

describe("the outcome of an attempt by a consumer", () => {
  it("is a success with the duration of the lease after an acknowledgement", () => {
    const { at, result, decision } = acked(taken(0), NOW);
    assert.deepEqual([at, result, decision], [2_000, { durationMs: 3_000 }, { kind: "delivered" }]);
  });

  for (const { made, kind } of [
    { made: 0, kind: "retryAt" },
    { made: 1, kind: "retryAt" },
    { made: 2, kind: "dead" },
    { made: 3, kind: "dead" },
  ]) {
    it(`is ${kind} after ${made} earlier attempts and two retries`, () => {
      const returned = nacked(taken(made), 7_000, NOW);
      const late = expired(taken(made), NOW);
      assert.deepEqual([returned.decision.kind, late.decision.kind], [kind, kind]);
      assert.deepEqual([returned.result.error, late.result.error], ["nacked", "lease_expired"]);
    });
  }

  it("comes again after the consumer's delay, and at once after an expired lease", () => {
    const delays = [nacked(taken(0), 7_000, NOW), expired(taken(0), NOW)].map(({ decision }) => decision);
    assert.deepEqual(delays, [
      { kind: "retryAt", delayMs: 7_000, slowDown: false },
      { kind: "retryAt", delayMs: 0, slowDown: false },
    ]);
  });
});
