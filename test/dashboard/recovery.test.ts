/** When pages read again by themselves after a failure. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { intervalAfter, RECOVERY_MS, recoveryMs } from "../../dashboard/src/data/recovery.ts";
import { CausewayConnectionError, CausewayError } from "../../src/client/index.ts";

const refusal = (status: number, retryAfterMs?: number) => new CausewayError(status, { detail: "" }, { retryAfterMs });

it("reads again after an outage, and when it was asked to wait", () => {
  assert.equal(recoveryMs(new CausewayConnectionError("refused")), RECOVERY_MS);
  assert.equal(recoveryMs(refusal(503, 60_000)), RECOVERY_MS);
  assert.equal(recoveryMs(refusal(429, 60_000)), 60_000);
  assert.equal(recoveryMs(refusal(429, 0)), 1_000);
  assert.equal(recoveryMs(refusal(429)), RECOVERY_MS);
  for (const status of [400, 401, 403, 404]) assert.equal(recoveryMs(refusal(status)), undefined);
});

it("reads what is read once again until it is there", () => {
  assert.equal(intervalAfter(null, undefined), false);
  assert.equal(intervalAfter(refusal(404), undefined), false);
  assert.equal(intervalAfter(refusal(500), undefined), RECOVERY_MS);
  assert.equal(intervalAfter(refusal(429, 7_000), undefined), 7_000);
});

it("reads repeatedly no later after an outage, and no sooner than asked", () => {
  assert.equal(intervalAfter(null, 30_000), 30_000);
  assert.equal(intervalAfter(refusal(404), 30_000), 30_000);
  assert.equal(intervalAfter(refusal(500), 30_000), RECOVERY_MS);
  assert.equal(intervalAfter(refusal(500), 2_000), 2_000);
  assert.equal(intervalAfter(refusal(429, 7_000), 2_000), 7_000);
  assert.equal(intervalAfter(refusal(429, 7_000), 30_000), 30_000);
});
