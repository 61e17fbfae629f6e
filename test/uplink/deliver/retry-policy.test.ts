import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttemptResult, ErrorKind } from "../../../src/uplink/attempt.ts";
import { decide, retryAfterMs } from "../../../src/uplink/deliver/retry-policy.ts";
import { DEFAULT_SCHEDULE_SECONDS } from "../../../src/webhooks/webhook.ts";
import fc from "../../support/property.ts";

const now = Date.parse("2026-03-04T12:00:00Z");
const HOUR = 3_600_000;
const middle = () => 0.5;
const first = { attemptsMade: 0, schedule: DEFAULT_SCHEDULE_SECONDS, now };

/**
 * Short form of a decision, for a table: `again` and `again+slow` are retryAt without and with slowDown, followed by
 * the delay unless it is the first of the schedule.
 */
function verdict(result: Partial<AttemptResult>): string {
  const decision = decide({ durationMs: 1, ...result }, first, middle);
  switch (decision.kind) {
    case "retryAt":
      return `${decision.slowDown ? "again+slow" : "again"}${decision.delayMs === 5_000 ? "" : ` ${decision.delayMs}`}`;
    case "throttled":
      return `throttled ${decision.delayMs}`;
    default:
      return decision.kind;
  }
}

describe("decide: the response table", () => {
  const table: [AttemptResult["statusCode"], retryAfter: string | undefined, expected: string][] = [
    [200, undefined, "delivered"],
    [201, undefined, "delivered"],
    [202, "60", "delivered"],
    [204, undefined, "delivered"],
    [299, undefined, "delivered"],
    [300, undefined, "again"],
    [301, undefined, "again"],
    [302, "60", "again"],
    [304, undefined, "again"],
    [308, undefined, "again"],
    [400, undefined, "again"],
    [401, undefined, "again"],
    [404, undefined, "again"],
    [408, undefined, "again"],
    [409, "60", "again"],
    [410, undefined, "gone"],
    [410, "60", "gone"],
    [413, "60", "again"],
    [429, undefined, "again+slow"],
    [429, "60", "throttled 60000"],
    [429, "0", "throttled 1000"],
    [429, "86400", "throttled 86400000"],
    [429, "86401", "throttled 86400000"],
    [429, "Wed, 04 Mar 2026 12:01:00 GMT", "throttled 60000"],
    [429, "soon", "again+slow"],
    [429, "", "again+slow"],
    [429, "-5", "again+slow"],
    [429, "1.5", "again+slow"],
    [500, undefined, "again"],
    [500, "60", "again"],
    [501, undefined, "again"],
    [502, "60", "again+slow"],
    [503, undefined, "again+slow"],
    [503, "120", "throttled 120000"],
    [504, "60", "again+slow"],
    [505, undefined, "again"],
    [599, undefined, "again"],
  ];
  for (const [statusCode, retryAfter, expected] of table) {
    it(`${statusCode}${retryAfter === undefined ? "" : ` with Retry-After "${retryAfter}"`}: ${expected}`, () => {
      assert.equal(verdict({ statusCode, retryAfter }), expected);
    });
  }

  const errors: [ErrorKind, expected: string][] = [
    ["dns_error", "again+slow"],
    ["connection_refused", "again+slow"],
    ["connection_reset", "again+slow"],
    ["connect_timeout", "again+slow"],
    ["timeout", "again+slow"],
    ["tls_error", "again+slow"],
    ["network_error", "again+slow"],
    ["blocked_address", "again"],
    ["auth_error", "again+slow"],
    ["filter_error", "dead"],
    ["transform_error", "dead"],
  ];
  for (const [error, expected] of errors) {
    it(`${error}: ${expected}`, () => assert.equal(verdict({ error }), expected));
  }

  it("retries after an expression that was not evaluated", () => {
    for (const error of ["filter_error", "transform_error"] as const) {
      assert.equal(verdict({ error, notEvaluated: true }), "again");
    }
  });

  it("decides by the status line, whatever happened to the body", () => {
    assert.equal(verdict({ statusCode: 200, error: "timeout" }), "delivered");
    assert.equal(verdict({ statusCode: 500, error: "timeout" }), "again");
    assert.equal(verdict({ statusCode: 200, error: "not_accepted" }), "again", "the answer to a batch names the event");
  });
});

describe("decide: the schedule", () => {
  it("has ten attempts: 5 s, 5 min, 30 min, 2 h, 5 h, 10 h, 14 h, 20 h, 24 h between them", () => {
    const delays = [];
    for (let attemptsMade = 0; ; attemptsMade++) {
      const decision = decide({ statusCode: 500, durationMs: 1 }, { ...first, attemptsMade }, middle);
      if (decision.kind !== "retryAt") {
        assert.deepEqual([decision.kind, attemptsMade], ["dead", 9]);
        break;
      }
      delays.push(decision.delayMs);
    }
    const min = 60_000;
    const expected = [5_000, 5 * min, 30 * min, 2 * HOUR, 5 * HOUR, 10 * HOUR, 14 * HOUR, 20 * HOUR, 24 * HOUR];
    assert.deepEqual(delays, expected);
  });

  it("varies by 20 % in both directions", () => {
    const delayWith = (random: number) => {
      const decision = decide({ statusCode: 500, durationMs: 1 }, { ...first, attemptsMade: 1 }, () => random);
      return decision.kind === "retryAt" ? decision.delayMs : Number.NaN;
    };
    assert.equal(delayWith(0), 240_000);
    assert.equal(delayWith(1), 360_000);
    fc.assert(
      fc.property(fc.double({ min: 0, max: 1, maxExcluded: true, noNaN: true }), (random) => {
        assert.ok(delayWith(random) >= 240_000 && delayWith(random) <= 360_000);
      }),
    );
  });

  it("is dead at once with an empty schedule, but still throttled and gone", () => {
    const none = { attemptsMade: 0, schedule: [], now };
    assert.equal(decide({ statusCode: 500, durationMs: 1 }, none).kind, "dead");
    assert.equal(decide({ statusCode: 429, retryAfter: "5", durationMs: 1 }, none).kind, "throttled");
    assert.equal(decide({ statusCode: 410, durationMs: 1 }, none).kind, "gone");
    assert.equal(decide({ statusCode: 200, durationMs: 1 }, none).kind, "delivered");
  });
});

describe("retryAfterMs", () => {
  it("reads all three date formats of RFC 9110", () => {
    const sent = Date.parse("1994-11-06T08:49:37Z") - 10_000;
    for (const date of [
      "Sun, 06 Nov 1994 08:49:37 GMT",
      "Sunday, 06-Nov-94 08:49:37 GMT",
      "Sun Nov  6 08:49:37 1994",
    ]) {
      assert.equal(retryAfterMs(date, sent), 10_000, date);
    }
  });

  it("is limited to 1 s … 24 h", () => {
    assert.equal(retryAfterMs("Wed, 04 Mar 2026 11:00:00 GMT", now), 1_000);
    assert.equal(retryAfterMs("Wed, 04 Mar 2099 11:00:00 GMT", now), 24 * HOUR);
    assert.equal(retryAfterMs("9".repeat(400), now), 24 * HOUR);
    assert.equal(retryAfterMs(" 7 ", now), 7_000);
  });

  it("ignores all other values", () => {
    for (const value of [
      undefined,
      "",
      "1e3",
      "0x10",
      "+5",
      "tomorrow",
      "2026-03-04T12:01:00Z",
      "Xyz, 99 Foo 2026 99:99:99 GMT",
    ]) {
      assert.equal(retryAfterMs(value, now), undefined, value);
    }
    fc.assert(
      fc.property(fc.string(), (value) => {
        const ms = retryAfterMs(value, now);
        assert.ok(ms === undefined || (ms >= 1_000 && ms <= 24 * HOUR));
      }),
    );
  });
});
