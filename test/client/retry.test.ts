import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  CausewayConnectionError,
  CausewayError,
  CausewayTimeoutError,
  isCausewayError,
  parseRetryAfter,
} from "../../src/client/errors.ts";
import { isTransient, waitMs } from "../../src/client/retry.ts";
import type { ProblemCode } from "../../src/client/types.ts";

function refusal(status: number, code?: ProblemCode, retryAfterMs?: number): CausewayError {
  return new CausewayError(status, { code, detail: "no" }, { retryAfterMs });
}

describe("which failures are repeated", () => {
  const rows: [reason: string, error: unknown, expected: boolean][] = [
    ["the rate limit", refusal(429, "rate_limited"), true],
    ["the broker is away and nothing was published", refusal(503, "broker_unavailable"), true],
    ["a proxy without a bridge behind it", refusal(503), true],
    ["the first attempt still runs", refusal(409, "idempotency_in_progress"), true],
    ["a lost connection", new CausewayConnectionError("reset"), true],
    ["the time of the call is up", new CausewayTimeoutError("late"), false],
    ["another conflict", refusal(409, "conflict"), false],
    ["the message may have reached the device", refusal(504, "broker_timeout"), false],
    ["the broker refused the message", refusal(502, "broker_refused"), false],
    ["an invalid request", refusal(400, "invalid_topic"), false],
    ["an error of the program", new TypeError("id must not be empty"), false],
  ];
  for (const [reason, error, expected] of rows) it(reason, () => assert.equal(isTransient(error), expected));
});

describe("the time before the next attempt", () => {
  it("doubles up to the limit, with a jitter of one half", () => {
    const error = new CausewayConnectionError("reset");
    const longest = [1, 2, 3, 6, 60].map((failures) => waitMs(error, failures, 8_000, () => 1));
    assert.deepEqual(longest, [250, 500, 1_000, 8_000, 8_000]);
    assert.equal(
      waitMs(error, 3, 8_000, () => 0),
      500,
    );
  });

  it("is never less than Retry-After", () => {
    assert.ok(waitMs(refusal(503, "store_unavailable", 5_000), 1, 8_000, () => 0) >= 5_000);
  });

  const now = Date.parse("2026-03-01T12:00:00Z");
  const rows: [header: string | null, expected: number | undefined][] = [
    [null, undefined],
    ["0", 0],
    ["120", 120_000],
    ["Sun, 01 Mar 2026 12:00:07 GMT", 7_000],
    ["Sun, 01 Mar 2026 11:59:00 GMT", 0],
    ["soon", undefined],
  ];
  for (const [header, expected] of rows) {
    it(`Retry-After: ${header}`, () => assert.equal(parseRetryAfter(header, now), expected));
  }
});

describe("isCausewayError", () => {
  it("compares the code", () => {
    const error: unknown = refusal(400, "invalid_topic");
    assert.ok(isCausewayError(error));
    assert.ok(isCausewayError(error, "not_found", "invalid_topic"));
    assert.ok(!isCausewayError(error, "not_found"));
    assert.ok(!isCausewayError(new CausewayConnectionError("reset")));
  });

  it("narrows the type to the code", () => {
    const error: unknown = refusal(400, "invalid_topic");
    if (!isCausewayError(error, "invalid_topic")) assert.fail();
    const code: "invalid_topic" = error.code;
    assert.equal(code, "invalid_topic");
  });
});
