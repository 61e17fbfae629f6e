import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Delivery, MetricsPoint, Webhook } from "causeway-mqtt/client";
import { rangeOf } from "../../dashboard/src/pages/webhooks/detail/replay-range.ts";
import { lastCause, outcomeInWords, stateInWords } from "../../dashboard/src/pages/webhooks/detail/summary.ts";

const NOW = Date.parse("2026-11-27T14:05:00.000Z");
const COUNTS = { pending: 0, active: 0, retrying: 0, succeeded: 0, failed: 0, discarded: 0 };
const words = (change: Partial<Webhook>, retrying: Delivery[] = []) =>
  stateInWords({ topics: ["a"], state: "active", counts: COUNTS, ...change } as Webhook, retrying, {
    now: NOW,
    isUtc: true,
  });
const attempt = (at: string, error: string, nextAttemptAt: string | null) =>
  ({ lastAttempt: { at, error, statusCode: null, durationMs: 1 }, nextAttemptAt }) as Delivery;
const REFUSED = attempt("2026-11-27T14:02:03.000Z", "connection_refused", "2026-11-27T14:08:00.000Z");

describe("outcomes in words", () => {
  const cases: [succeeded: number, failed: number, retried: number, words: string][] = [
    [0, 0, 0, ""],
    [171, 0, 0, "100 % of finished deliveries succeeded"],
    [171, 0, 6, "100 % of finished deliveries succeeded, 6 attempts repeated"],
    [1, 3, 1, "25 % of finished deliveries succeeded, 1 attempt repeated"],
    [0, 0, 11, "No delivery finished, 11 attempts repeated"],
  ];
  for (const [succeeded, failed, retried, words] of cases)
    it(words || "nothing without an attempt", () =>
      assert.equal(outcomeInWords([{ enqueued: 9, succeeded, failed, retried } as MetricsPoint]), words),
    );
});

describe("state of a webhook in words", () => {
  it("says since when it fails, why, and when it is tried again", () => {
    assert.equal(
      words(
        {
          state: "failing",
          failingSince: "2026-11-27T14:02:03.000Z",
          nextProbeAt: "2026-11-27T14:08:00.000Z",
          counts: { ...COUNTS, pending: 213, retrying: 1 },
        },
        [REFUSED],
      ),
      "Failing since 14:02:03 UTC (connection refused). Next try in 3 min. 214 deliveries wait.",
    );
    assert.equal(
      words({
        state: "failing",
        failingSince: "2026-11-27T14:02:03.000Z",
        nextProbeAt: "2026-11-27T14:04:59.000Z",
      }),
      "Failing since 14:02:03 UTC. Next try now.",
    );
  });

  it("names the latest cause and the earliest try", () => {
    const later = attempt("2026-11-27T14:03:00.000Z", "timeout", "2026-11-27T14:05:12.000Z");
    assert.equal(lastCause([REFUSED, later]), "timeout");
    assert.equal(
      words({ counts: { ...COUNTS, retrying: 2 } }, [REFUSED, later]),
      "Delivering, but 2 deliveries are tried again (timeout). Next try in 12 s.",
    );
  });

  it("says what a stopped webhook waits for", () => {
    assert.equal(words({ state: "paused" }), "Paused. Nothing waits.");
    assert.equal(words({ state: "paused", counts: { ...COUNTS, pending: 1 } }), "Paused. 1 delivery waits.");
    assert.equal(
      words({ state: "paused", verification: { state: "pending", at: "2026-11-27T14:02:03.000Z" } }),
      "Waits for the consent of its receiver.",
    );
    assert.equal(
      words({ state: "disabled", disabled: { at: "2026-11-27T14:02:03.000Z", reason: "the receiver responded 410" } }),
      "Disabled since 14:02:03 UTC: the receiver responded 410.",
    );
  });

  it("says how a healthy one does", () => {
    assert.equal(words({}), "Delivering. No message has matched yet.");
    assert.equal(words({ counts: { ...COUNTS, pending: 2 } }), "Delivering. 2 deliveries wait.");
    assert.equal(
      words({ counts: { ...COUNTS, succeeded: 9 } }),
      "Delivering. None of the deliveries that are kept failed.",
    );
    assert.equal(
      words({ counts: { ...COUNTS, succeeded: 9, failed: 2 } }),
      "Delivering. 2 deliveries that are kept were given up.",
    );
    assert.equal(words({ refusedTopics: [{ topic: "a", reason: "x" }] }), "The broker refuses 1 topic filter.");
  });
});

describe("range of a replay", () => {
  const choice = { status: "failed", span: "all", since: "", until: "" } as const;

  it("is open, relative or between two times", () => {
    assert.deepEqual(rangeOf(choice, NOW), { status: "failed" });
    assert.deepEqual(rangeOf({ ...choice, span: "3600000" }, NOW), {
      status: "failed",
      since: "2026-11-27T13:05:00.000Z",
    });
    const since = "2026-11-27T12:00";
    assert.deepEqual(rangeOf({ ...choice, span: "custom", since }, NOW), {
      status: "failed",
      since: new Date(since).toISOString(),
    });
    assert.equal(rangeOf({ ...choice, span: "custom", until: "soon" }, NOW), undefined);
  });
});
