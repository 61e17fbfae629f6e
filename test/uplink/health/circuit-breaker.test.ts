/** Rules of the circuit breaker, as tables. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { AttemptResult, ErrorKind } from "../../../src/uplink/attempt.ts";
import { decide } from "../../../src/uplink/deliver/retry-policy.ts";
import {
  admission,
  BREAKER,
  type EndpointRecord,
  failed,
  type Health,
  healthOf,
  healthy,
  isGivenUp,
  isOpen,
  isOver,
  probeFailed,
  probeReturned,
  slowDownMs,
} from "../../../src/uplink/health/circuit-breaker.ts";

const NOW = 1_000_000;
const record = (changes: Partial<EndpointRecord> = {}): EndpointRecord => ({
  ...{ id: "wh_1", failingSince: NOW - 5_000, failures: 10, openings: 1, openUntil: NOW + 30_000, notices: [] },
  ...changes,
});

describe("the outcome of an attempt for the endpoint", () => {
  const rows: [name: string, result: Partial<AttemptResult>, health: Health][] = [
    ["2xx", { statusCode: 204 }, "success"],
    ["4xx", { statusCode: 404, error: "http_error" }, "failure"],
    ["5xx", { statusCode: 500, error: "http_error" }, "failure"],
    ["a redirect", { statusCode: 302, error: "redirect" }, "failure"],
    ["429 without Retry-After", { statusCode: 429, error: "http_error" }, "failure"],
    ["429 with Retry-After", { statusCode: 429, retryAfter: "5", error: "http_error" }, "neutral"],
    ["503 with Retry-After", { statusCode: 503, retryAfter: "5", error: "http_error" }, "neutral"],
    ["410", { statusCode: 410, error: "http_error" }, "neutral"],
    ["a time-out", { error: "timeout" }, "failure"],
    ["a refused connection", { error: "connection_refused" }, "failure"],
    ["no such name", { error: "dns_error" }, "failure"],
    ["a certificate that is not good", { error: "tls_error" }, "failure"],
    ["an address of ours that is not allowed", { error: "blocked_address" }, "neutral"],
    ["an error that is no call's", { error: "expression_failed" as ErrorKind }, "neutral"],
    ["nothing sent at all", {}, "neutral"],
  ];
  for (const [name, result, expected] of rows) {
    it(`${name}: ${expected}`, () => {
      const whole = { durationMs: 1, ...result };
      const decision = name === "nothing sent at all" ? { kind: "delivered" as const } : undefined;
      for (const schedule of [[], [5]]) {
        assert.equal(healthOf(whole, decision ?? decide(whole, { attemptsMade: 0, schedule })), expected);
      }
    });
  }
});

describe("the breaker", () => {
  it("opens at the tenth consecutive failure, for 30 s", () => {
    let known: EndpointRecord | undefined;
    for (let i = 1; i <= 10; i++) {
      known = failed(known, { id: "wh_1", row: { since: NOW + i, failures: 1 }, now: NOW + i }, BREAKER);
      assert.equal(isOpen(known), i === 10, `after ${i}`);
      assert.equal(known.failures, i);
    }
    assert.deepEqual([known?.failingSince, known?.openUntil], [NOW + 1, NOW + 10 + 30_000]);
  });

  it("counts the failures of several instances, from the earliest on", () => {
    const first = failed(undefined, { id: "wh_1", row: { since: 200, failures: 6 }, now: 300 }, BREAKER);
    const second = failed(first, { id: "wh_1", row: { since: 100, failures: 4 }, now: 400 }, BREAKER);
    assert.deepEqual([isOpen(first), isOpen(second), second.failingSince], [false, true, 100]);
  });

  it("counts anew after a recovery that is not announced yet", () => {
    const notices = [{ id: "msg_1", type: "webhook.recovered" as const, at: 1, reason: "", failingSince: 1 }];
    const recovered = healthy(record({ notices }));
    const next = failed(recovered, { id: "wh_1", row: { since: NOW, failures: 1 }, now: NOW }, BREAKER);
    assert.deepEqual([next.failures, next.failingSince, next.notices], [1, NOW, notices]);
  });

  it("doubles the wait after each failed probe, up to 10 min", () => {
    let known = record();
    const waits = Array.from({ length: 7 }, () => {
      known = probeFailed(known, NOW, BREAKER);
      return (known.openUntil - NOW) / 1_000;
    });
    assert.deepEqual(waits, [60, 120, 240, 480, 600, 600, 600]);
    assert.equal(known.failures, 17);
  });

  for (const [name, known, expected] of [
    ["no record", undefined, "call"],
    ["failures, but not ten", record({ openings: 0, openUntil: 0, failures: 4 }), "call"],
    ["open", record(), { waitMs: 30_000 }],
    ["over", record({ openUntil: NOW }), "probe"],
    ["over, with a probe under way", record({ openUntil: NOW, probe: { id: "p", until: NOW + 9 } }), { waitMs: 9 }],
    [
      "over, with a probe that may take long",
      record({ openUntil: NOW, probe: { id: "p", until: NOW + 30_000 } }),
      { waitMs: 1_000 },
    ],
    ["over, with a probe that was lost", record({ openUntil: NOW, probe: { id: "p", until: NOW } }), "probe"],
    ["recovered", healthy(record()), "call"],
  ] as const) {
    it(`${name}: ${JSON.stringify(expected)}`, () => assert.deepEqual(admission(known, NOW), expected));
  }

  it("lets another probe pass after an inconclusive one", () => {
    const known = probeReturned(record({ openUntil: NOW, probe: { id: "p", until: NOW + 9_000 } }), NOW + 5_000);
    assert.deepEqual(admission(known, NOW), { waitMs: 5_000 });
    assert.equal(admission(known, NOW + 5_000), "probe");
    assert.equal(known.openings, 1, "it does not count as failed");
  });

  it("keeps nothing about an endpoint that is healthy again and announced", () => {
    assert.equal(isOver(healthy(record({ probe: { id: "p", until: 1 } }))), true);
    assert.equal(isOver(record({ openings: 0, failures: 1 })), false);
    const notice = { id: "msg_1", type: "webhook.recovered" as const, at: 1, reason: "", failingSince: 1 };
    assert.equal(isOver(healthy(record({ notices: [notice] }))), false);
  });

  const days = (count: number) => count * 24 * 3_600_000;
  for (const [name, known, expected] of [
    ["five days of failures", record({ failingSince: NOW - days(5) }), true],
    ["a minute less", record({ failingSince: NOW - days(5) + 60_000 }), false],
    ["two failures in six days", record({ failingSince: NOW - days(6), failures: 2, openings: 0 }), false],
  ] as const) {
    it(`${name}: ${expected ? "given up" : "goes on"}`, () => assert.equal(isGivenUp(known, NOW, BREAKER), expected));
  }

  it("slows down from 1 s to 30 s", () => {
    assert.deepEqual([1, 2, 3, 4, 5, 6, 20].map(slowDownMs), [1_000, 2_000, 4_000, 8_000, 16_000, 30_000, 30_000]);
  });
});
