/** The overview's rules: what needs attention, the first line, rates, books and points of the chart. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  checksNeedingAttention,
  configurationNeedsAttention,
  inOrder,
  MANY_WAITING,
  webhookNeedsAttention,
} from "../../dashboard/src/pages/overview/attention.ts";
import { formatPace, leadOf, ratesLead } from "../../dashboard/src/pages/overview/lead.ts";
import { bookLines } from "../../dashboard/src/pages/overview/ledger.ts";
import { minuteRates, ratesOf, type Sample, withSample } from "../../dashboard/src/pages/overview/rates.ts";
import { completePoints, isEmpty, rangeOf, STEPS } from "../../dashboard/src/pages/overview/traffic.ts";
import type { MetricsPoint, Webhook } from "../../src/client/index.ts";

const COUNTS = { pending: 0, active: 0, retrying: 0, succeeded: 0, failed: 0, discarded: 0 };

function webhookWith(changes: object): Webhook {
  return {
    ...{ id: "wh_1", name: "Alarms", url: "https://a.example/x", topics: ["#"], state: "active", counts: COUNTS },
    ...changes,
  } as unknown as Webhook;
}

describe("attention", () => {
  const cases: [reason: string, webhook: object, found: [state: string, why: RegExp, act: string | undefined][]][] = [
    ["none for a healthy webhook", {}, []],
    ["none for one that is paused on purpose", { state: "paused" }, []],
    [
      "a failing one, with what waits",
      { state: "failing", failingSince: "2026-01-01T00:00:00Z", counts: { ...COUNTS, pending: 214 } },
      [["Failing", /every attempt fails, 214 deliveries wait/, "open"]],
    ],
    [
      "a disabled one, with the reason",
      { state: "disabled", disabled: { at: "2026-01-01T00:00:00Z", reason: "answered 410" } },
      [["Disabled", /answered 410/, "resume"]],
    ],
    [
      "a pending verification",
      { state: "paused", verification: { state: "pending", at: "2026-01-01T00:00:00Z" } },
      [["Not verified", /has not agreed/, "verify"]],
    ],
    [
      "refused filters, the first by name",
      {
        refusedTopics: [
          { topic: "a/#", reason: "not allowed" },
          { topic: "b/#", reason: "no" },
        ],
      },
      [["Filter refused", /refuses a\/#: not allowed, and 1 more filter/, "open"]],
    ],
    ["not few waiting", { counts: { ...COUNTS, pending: MANY_WAITING - 1 } }, []],
    [
      "many waiting, also while it is paused",
      { state: "paused", counts: { ...COUNTS, pending: MANY_WAITING } },
      [["Many waiting", /1,000 deliveries wait while it is paused/, "open"]],
    ],
  ];
  for (const [reason, changes, expected] of cases) {
    it(reason, () => {
      const found = webhookNeedsAttention(webhookWith(changes));
      assert.equal(found.length, expected.length);
      for (const [i, [state, why, act]] of expected.entries()) {
        assert.equal(found[i]!.state, state);
        assert.match(found[i]!.why, why);
        assert.equal(found[i]!.act?.kind, act);
      }
    });
  }

  it("has the checks that fail, and no uplink without a broker", () => {
    const [down, up] = [{ ok: false, detail: "refused" }, { ok: true }];
    const names = (checks: object) => checksNeedingAttention(checks as never).map(({ id }) => id);
    assert.deepEqual(names({ broker: up, uplink: up, store: up }), []);
    assert.deepEqual(names({ broker: down, uplink: down, store: up }), ["check-broker"]);
    assert.deepEqual(names({ broker: up, uplink: down, other: down }), ["check-uplink", "check-other"]);
    assert.equal(checksNeedingAttention({ store: down })[0]!.why, "refused");
  });

  it("has the documents that were not applied, the first by name", () => {
    assert.deepEqual(configurationNeedsAttention(undefined), []);
    const refused = [
      { kind: "Webhook", identity: "alarms", code: "blocked_address", detail: "leads to 10.0.0.1." },
      { kind: "Key", identity: "ops", code: "conflict", detail: "twice" },
    ];
    const [item] = configurationNeedsAttention({ appliedAt: null, refused } as never);
    assert.equal(item!.what, "2 documents of CONFIG_DIR not applied");
    assert.equal(item!.why, "Webhook alarms: leads to 10.0.0.1");
    assert.deepEqual(configurationNeedsAttention({ appliedAt: null, refused: [] } as never), []);
  });

  it("begins with the bridge, then the worst, then the newest", () => {
    const item = (id: string, tone: string, since?: string) => ({ id, tone, since, state: "", what: "", why: "" });
    const sorted = inOrder([
      item("a", "retrying", "2026-01-01"),
      item("b", "failed", "2026-01-01"),
      item("c", "failed", "2026-01-02"),
      item("check-store", "failed"),
    ] as never);
    assert.deepEqual(
      sorted.map(({ id }) => id),
      ["check-store", "c", "b", "a"],
    );
  });
});

describe("the first line", () => {
  const item = (webhookId: string | undefined, what = "W") => ({
    id: "",
    tone: "failed",
    state: "",
    what,
    why: "",
    webhookId,
  });
  const cases: [lead: string, facts: object][] = [
    ["All 14 webhooks healthy.", { webhooks: 14 }],
    ["The webhook is healthy.", { webhooks: 1 }],
    ["No webhooks yet.", { webhooks: 0 }],
    ["13 webhooks healthy, 1 paused.", { webhooks: 14, paused: 1 }],
    ["2 webhooks, all paused.", { webhooks: 2, paused: 2 }],
    ["2 webhooks need attention.", { webhooks: 14, attention: [item("a"), item("b"), item("b")] }],
    ["1 webhook needs attention.", { webhooks: 14, attention: [item("a")] }],
    ["The webhook needs attention.", { webhooks: 1, attention: [item("a")] }],
    [
      "The store accepts nothing. All 2 webhooks healthy.",
      { webhooks: 2, attention: [item(undefined, "The store accepts nothing")] },
    ],
    ["14 webhooks registered.", { webhooks: 14, knowsWebhooks: false }],
    ["", { webhooks: undefined }],
  ];
  for (const [lead, facts] of cases) {
    it(lead || "is empty while nothing is known", () => {
      assert.equal(leadOf({ attention: [], paused: 0, knowsWebhooks: true, ...facts } as never), lead);
    });
  }

  it("has the rates", () => {
    assert.equal(ratesLead({ received: 212.4, delivered: 212 }), "212 msg/s in, 212/s out.");
    assert.equal(ratesLead({ received: 0, delivered: 0.01 }, false), "0/s in, 0.6/min out.");
    assert.equal(ratesLead(undefined), "");
    assert.deepEqual([0, 0.05, 0.4, 1_240.4].map(formatPace), ["0/s", "3/min", "0.4/s", "1,240/s"]);
  });
});

describe("rates", () => {
  const sample = (at: number, received: number): Sample => ({ at, received, delivered: received / 2, failed: 0 });

  it("are differences of the last few samples", () => {
    const samples = [0, 1, 2, 3, 4, 5, 6, 7, 8, 9].reduce<Sample[]>(
      (all, i) => withSample(all, sample(i * 2_000, i * 100)),
      [],
    );
    assert.equal(samples.length, 7);
    assert.deepEqual(ratesOf(samples), { received: 50, delivered: 25, failed: 0 });
  });

  it("are unknown before the second sample, and begin anew in another store", () => {
    const samples = withSample([], sample(0, 100));
    assert.equal(ratesOf(samples), undefined);
    assert.deepEqual(withSample(samples, sample(0, 100)), samples, "the same read");
    assert.deepEqual(withSample(samples, sample(2_000, 0)), [sample(2_000, 0)]);
  });

  it("are never negative: a retried delivery has not failed any more", () => {
    const samples = [
      { at: 0, received: 0, delivered: 5, failed: 3 },
      { at: 1_000, received: 0, delivered: 4, failed: 2 },
    ];
    assert.deepEqual(ratesOf(samples), { received: 0, delivered: 0, failed: 0 });
  });

  it("of the last full minute stand in for books that the key may not see", () => {
    const point = (enqueued: number, received?: number) =>
      ({ enqueued, succeeded: 60, failed: 0, retried: 6, ...(received !== undefined && { received }) }) as MetricsPoint;
    assert.equal(minuteRates([point(1)]), undefined);
    const rates = { received: 2, delivered: 1, failed: 0, retried: 0.1 };
    assert.deepEqual(minuteRates([point(120), point(9)]), { ...rates, hasReceived: false });
    assert.deepEqual(minuteRates([point(9, 120), point(9, 9)]), { ...rates, hasReceived: true });
  });
});

describe("the books", () => {
  const books = (received: number, waiting: number, unmatchedBy: object = {}) => ({
    messages: {
      ...{ received, unmatched: 44, enqueued: 11_990 },
      unmatchedBy: { noWebhook: 44, tooLarge: 0, retainedSkipped: 0, ...unmatchedBy },
    },
    deliveries: { enqueued: 300, succeeded: 200, failed: 12, waiting, discarded: 0 },
  });

  it("are two lines that close", () => {
    assert.deepEqual(bookLines(books(12_034, 88)), [
      { text: "Received 12,034 = 11,990 enqueued + 44 without a webhook", missing: 0 },
      { text: "Deliveries 300 = 200 succeeded + 12 failed + 88 waiting", missing: 0 },
    ]);
  });

  it("name the other reasons only if there are any", () => {
    const [messages] = bookLines(books(12_036, 88, { tooLarge: 2 }));
    assert.match(messages!.text, /\+ 2 too large$/);
  });

  it("say what is missing", () => {
    const lines = bookLines(books(12_035, 90));
    assert.deepEqual(
      lines.map(({ missing }) => missing),
      [1, -2],
    );
    assert.match(lines[0]!.text, /12,035 ≠/);
  });
});

describe("the chart", () => {
  const point = (at: string, enqueued: number) =>
    ({ at, enqueued, succeeded: 0, failed: 0, retried: 0, p50Ms: null, p99Ms: null }) as MetricsPoint;

  it("leaves out the step that is not over, unless it is the first with figures", () => {
    const [empty, busy, last] = [point("1", 0), point("2", 3), point("3", 1)];
    assert.deepEqual(completePoints([empty, busy, last]), [empty, busy]);
    assert.deepEqual(completePoints([empty, last]), [empty, last]);
  });

  it("is empty without figures", () => {
    assert.ok(isEmpty({ points: [point("1", 0)] }));
    assert.ok(!isEmpty({ points: [point("1", 0), { ...point("2", 0), received: 1 }] }));
  });

  it("has steps that divide the range, and at most 144 of them", () => {
    const seconds = { "1h": 3_600, "24h": 86_400, "30d": 2_592_000 };
    for (const [range, { stepSeconds }] of Object.entries(STEPS)) {
      const steps = seconds[range as keyof typeof seconds] / stepSeconds;
      assert.ok(Number.isInteger(steps) && steps <= 144, range);
    }
    assert.deepEqual([rangeOf("30d"), rangeOf("7d"), rangeOf(undefined)], ["30d", "1h", "1h"]);
  });
});
