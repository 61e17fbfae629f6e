/** How long queries of the broker wait. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { ANSWER_MS, graceMs } from "../../../src/mqtt/client/broker-query.ts";

for (const [roundTripMs, wanted, why] of [
  [0, 50, "the least"],
  [16, 50, "the least"],
  [17, 51, "three round trips"],
  [1_000, 3_000, "three round trips"],
  [1_667, ANSWER_MS, "the most"],
  [ANSWER_MS, ANSWER_MS, "the most"],
] as const) {
  it(`after a round trip of ${roundTripMs} ms, the silence is ${wanted} ms: ${why}`, () =>
    assert.equal(graceMs(roundTripMs), wanted));
}
