/** Log lines and metrics of each event in both flows. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { OutgoingMessage } from "../../src/downlink/publish.ts";
import type { StoredPublish } from "../../src/downlink/stored-publish.ts";
import type { Message } from "../../src/message.ts";
import { createMetrics, MAX_LABELLED_WEBHOOKS } from "../../src/ops/metrics.ts";
import { Observer } from "../../src/ops/observe.ts";
import type { SeriesSink } from "../../src/ops/series/recorder.ts";
import type { AttemptResult, Decision } from "../../src/uplink/attempt.ts";
import type { Attempted, Sending } from "../../src/uplink/deliver/attempt.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import { webhookWith } from "../webhooks/support.ts";

type Line = Record<string, unknown>;

const webhook: Webhook = webhookWith();
const message: Message = {
  ...{ id: "msg_1", topic: 'a/"b"', payload: Buffer.from("12345"), qos: 1, retain: false, receivedAt: Date.now() },
};
const outgoing: OutgoingMessage = { ...message };
const stored = { ...message, outcome: "queued" } as unknown as StoredPublish;
const failed: AttemptResult = { statusCode: 500, error: "http_error", detail: "500", durationMs: 12.6 };
const succeeded: AttemptResult = { statusCode: 204, durationMs: 3 };
const retry: Decision = { kind: "retryAt", delayMs: 5_000, slowDown: false };
const attempted = (result: AttemptResult, decision: Decision) =>
  [{ webhook, message, attempt: 2 } as Sending, { kind: "attempted", at: 0, result, decision } as Attempted] as const;
const batch = (leads: boolean): AttemptResult => ({ ...succeeded, batch: { id: "b", events: 9, leads } });

/** An observer of `size` webhooks, of which `wh_1` is registered, with its log. */
function observed(size = 1) {
  const lines: Line[] = [];
  const write = (level: string) => (fields: object, msg: string) => void lines.push({ level, ...fields, msg });
  const metrics = createMetrics();
  const log = { info: write("info"), warn: write("warn"), error: write("error") };
  const wide = (members: string, msg: string) => void lines.push({ level: "info", ...JSON.parse(`{${members}}`), msg });
  const webhooks = { size, get: (id: string) => (id === "wh_1" ? webhook : undefined) };
  const series: unknown[][] = [];
  const sink =
    (name: string) =>
    (...args: unknown[]) =>
      void series.push([name, ...args]);
  const names = ["enqueued", "attempted", "filtered", "received", "published", "forget"];
  const recorder = Object.fromEntries(names.map((name) => [name, sink(name)])) as unknown as SeriesSink;
  return { lines, metrics, series, observer: new Observer({ log, wide }, metrics, webhooks, recorder) };
}

/** The counters and the numbers of observations that are not zero, without the prefix. */
async function counted({ metrics }: ReturnType<typeof observed>): Promise<Record<string, number>> {
  const page = await metrics.registry.metrics();
  const values = [...page.matchAll(/^causeway_(\S+_(?:total|count)\S*(?: .*")?\}?) (\S+)$/gm)];
  return Object.fromEntries(values.map(([, name, value]) => [name!, Number(value)]).filter(([, value]) => value !== 0));
}

/** Compares the lines without the durations, which must be numbers. */
function assertLines(lines: Line[], wanted: Line[]): void {
  const timed = lines.map(({ duration_ms, ...line }) => {
    assert.ok(duration_ms === undefined || typeof duration_ms === "number");
    return line;
  });
  assert.deepEqual(timed, wanted);
}

interface Case {
  act: (observer: Observer) => void;
  lines?: Line[];
  counts?: Record<string, number>;
}

const published = { message_id: "msg_1", topic: 'a/"b"', qos: 1, retain: false, bytes: 5 };
const received = { message_id: "msg_1", topic: 'a/"b"', qos: 1, bytes: 5 };
const attempt = { message_id: "msg_1", webhook_id: "wh_1", topic: 'a/"b"', attempt: 2 };
const found = { topics: 3, tooLarge: 0, truncated: false };
const notice = { id: "msg_2", at: 0, reason: "ten failed", failingSince: 0 };
const transition = {
  webhook_id: "wh_1",
  event_id: "msg_2",
  reason: "ten failed",
  failing_since: "1970-01-01T00:00:00.000Z",
};

const cases: Record<string, Case> = {
  "a publish": {
    act: (observer) => observer.published(outgoing, { kind: "acknowledged", reasonCode: 0 }, performance.now()),
    lines: [{ level: "info", ...published, outcome: "acknowledged", msg: "message_published" }],
    counts: { 'messages_published_total{outcome="acknowledged"}': 1, publish_duration_seconds_count: 1 },
  },
  "a publish that the broker refuses": {
    act: (observer) =>
      observer.published(outgoing, { kind: "refused", reasonCode: 135, reason: "no" }, performance.now()),
    lines: [{ level: "info", ...published, outcome: "refused", msg: "message_published" }],
    counts: { 'messages_published_total{outcome="refused"}': 1, publish_duration_seconds_count: 1 },
  },
  "a stored message": {
    act: (observer) => observer.accepted(outgoing, stored),
    lines: [{ level: "info", ...published, outcome: "queued", msg: "message_accepted" }],
    counts: { 'messages_accepted_total{outcome="queued"}': 1 },
  },
  "a received message for two webhooks, one of them removed": {
    act: (observer) => observer.received("enqueued", message, ["wh_1", "wh_gone"]),
    lines: [{ level: "info", ...received, outcome: "enqueued", webhooks: 2, msg: "message_received" }],
    counts: {
      ...{ messages_received_total: 1, messages_received_bytes_total: 5, messages_matched_total: 1 },
      ...{ 'deliveries_enqueued_total{webhook="wh_1"}': 1, 'deliveries_enqueued_total{webhook=""}': 1 },
    },
  },
  "a received message without a webhook": {
    act: (observer) => observer.received("unmatched", message, []),
    lines: [{ level: "info", ...received, outcome: "unmatched", webhooks: 0, msg: "message_received" }],
    counts: {
      ...{ messages_received_total: 1, messages_received_bytes_total: 5 },
      'messages_unmatched_total{reason="unmatched"}': 1,
    },
  },
  "a received message that is too large, as a warning": {
    act: (observer) => observer.received("too_large", message, ["wh_1"]),
    lines: [{ level: "warn", ...received, outcome: "too_large", webhooks: 1, msg: "message_received" }],
    counts: {
      ...{ messages_received_total: 1, messages_received_bytes_total: 5 },
      'messages_unmatched_total{reason="too_large"}': 1,
    },
  },
  "another copy of a message, without a line": {
    act: (observer) => observer.received("other_copy", message, []),
    counts: { message_copies_skipped_total: 1 },
  },
  "a delivery": {
    act: (observer) => observer.attempted(...attempted(succeeded, { kind: "delivered" })),
    lines: [{ level: "info", ...attempt, outcome: "delivered", status: 204, msg: "delivery_attempted" }],
    counts: {
      ...{ 'delivery_attempts_total{outcome="delivered"}': 1, 'deliveries_succeeded_total{webhook="wh_1"}': 1 },
      'delivery_attempt_duration_seconds_count{webhook="wh_1"}': 1,
      'delivery_latency_seconds_count{webhook="wh_1"}': 1,
    },
  },
  "a failed attempt with the delay until the next": {
    act: (observer) => observer.attempted(...attempted(failed, retry)),
    lines: [
      {
        ...{ level: "info", ...attempt, outcome: "retryAt", status: 500, error: "http_error", detail: "500" },
        ...{ next_in_ms: 5_000, msg: "delivery_attempted" },
      },
    ],
    counts: {
      'delivery_attempts_total{outcome="retryAt"}': 1,
      'delivery_attempt_duration_seconds_count{webhook="wh_1"}': 1,
    },
  },
  "a dead letter": {
    act: (observer) => observer.attempted(...attempted(failed, { kind: "dead" })),
    lines: [
      {
        level: "info",
        ...attempt,
        outcome: "dead",
        status: 500,
        error: "http_error",
        detail: "500",
        msg: "delivery_attempted",
      },
    ],
    counts: {
      ...{ 'delivery_attempts_total{outcome="dead"}': 1, 'deliveries_failed_total{webhook="wh_1"}': 1 },
      'delivery_attempt_duration_seconds_count{webhook="wh_1"}': 1,
    },
  },
  "a failed filter without its detail, which may quote the payload": {
    act: (observer) =>
      observer.attempted(...attempted({ ...failed, error: "filter_error", detail: "needle" }, { kind: "dead" })),
    lines: [
      { level: "info", ...attempt, outcome: "dead", status: 500, error: "filter_error", msg: "delivery_attempted" },
    ],
  },
  "a failed transform without its detail": {
    act: (observer) =>
      observer.attempted(...attempted({ ...failed, error: "transform_error", detail: "needle" }, retry)),
    lines: [
      {
        ...{ level: "info", ...attempt, outcome: "retryAt", status: 500, error: "transform_error" },
        ...{ next_in_ms: 5_000, msg: "delivery_attempted" },
      },
    ],
  },
  "the first delivery of a batch, for all of it": {
    act: (observer) => observer.attempted(...attempted(batch(true), { kind: "delivered" })),
    lines: [
      {
        ...{ level: "info", ...attempt, batch_id: "b", events: 9, outcome: "delivered", status: 204 },
        msg: "delivery_attempted",
      },
    ],
  },
  "another delivery of a batch, without a line and a call": {
    act: (observer) => observer.attempted(...attempted(batch(false), { kind: "delivered" })),
    counts: {
      ...{ 'delivery_attempts_total{outcome="delivered"}': 1, 'deliveries_succeeded_total{webhook="wh_1"}': 1 },
      'delivery_latency_seconds_count{webhook="wh_1"}': 1,
    },
  },
  "another delivery of a batch that the receiver does not accept, with a line": {
    act: (observer) => observer.attempted(...attempted({ ...batch(false), error: "not_accepted" }, retry)),
    lines: [
      {
        ...{ level: "info", ...attempt, batch_id: "b", events: 9, outcome: "retryAt", status: 204 },
        ...{ error: "not_accepted", next_in_ms: 5_000, msg: "delivery_attempted" },
      },
    ],
    counts: { 'delivery_attempts_total{outcome="retryAt"}': 1 },
  },
  "an added delivery": {
    act: (observer) => observer.added("wh_1"),
    counts: { 'deliveries_enqueued_total{webhook="wh_1"}': 1 },
  },
  "a filtered delivery": {
    act: (observer) => observer.filtered(webhook, message),
    lines: [{ level: "info", message_id: "msg_1", webhook_id: "wh_1", topic: 'a/"b"', msg: "delivery_filtered" }],
    counts: { 'deliveries_filtered_total{webhook="wh_1"}': 1 },
  },
  "a late response": {
    act: (observer) => observer.lateAnswer(message),
    lines: [{ level: "info", message_id: "msg_1", topic: 'a/"b"', msg: "request_answer_late" }],
    counts: { request_answers_late_total: 1 },
  },
  "a filter that is set aside, with 200 characters of it": {
    act: (observer) => observer.filterSetAside("wh_1", "f".repeat(201), "too deep"),
    lines: [
      { level: "warn", webhook_id: "wh_1", filter: "f".repeat(200), reason: "too deep", msg: "filter_set_aside" },
    ],
  },
  "a request that is set aside": {
    act: (observer) => observer.requestSetAside("req_1", "too deep"),
    lines: [{ level: "warn", request_id: "req_1", reason: "too deep", msg: "request_set_aside" }],
  },
  "a missing reply": {
    act: (observer) => observer.notReplied("wh_1", "msg_1", "own_topic"),
    lines: [
      { level: "info", webhook_id: "wh_1", message_id: "msg_1", reason: "own_topic", msg: "reply_not_published" },
    ],
  },
  "retained messages": {
    act: (observer) => observer.snapshotTaken("wh_1", found),
    lines: [
      { level: "info", webhook_id: "wh_1", topics: 3, too_large: 0, truncated: false, msg: "retained_delivered" },
    ],
  },
  "retained messages of which one is too large, as a warning": {
    act: (observer) => observer.snapshotTaken("wh_1", { ...found, tooLarge: 1 }),
    lines: [
      { level: "warn", webhook_id: "wh_1", topics: 3, too_large: 1, truncated: false, msg: "retained_delivered" },
    ],
  },
  "retained messages that are too many, as a warning": {
    act: (observer) => observer.snapshotTaken("wh_1", { ...found, truncated: true }),
    lines: [{ level: "warn", webhook_id: "wh_1", topics: 3, too_large: 0, truncated: true, msg: "retained_delivered" }],
  },
  "a dropped stream": {
    act: (observer) => observer.streamDropped(),
    lines: [{ level: "warn", msg: "stream_dropped" }],
    counts: { streams_dropped_total: 1 },
  },
  "an endpoint that begins to fail, as a warning": {
    act: (observer) => observer.transition("wh_1", { ...notice, type: "webhook.failing" }),
    lines: [{ level: "warn", ...transition, msg: "webhook_failing" }],
    counts: { 'webhook_transitions_total{event="webhook.failing"}': 1 },
  },
  "an endpoint that is disabled, as a warning": {
    act: (observer) => observer.transition("wh_1", { ...notice, type: "webhook.disabled" }),
    lines: [{ level: "warn", ...transition, msg: "webhook_disabled" }],
    counts: { 'webhook_transitions_total{event="webhook.disabled"}': 1 },
  },
  "an endpoint that recovers": {
    act: (observer) => observer.transition("wh_1", { ...notice, type: "webhook.recovered" }),
    lines: [{ level: "info", ...transition, msg: "webhook_recovered" }],
    counts: { 'webhook_transitions_total{event="webhook.recovered"}': 1 },
  },
  "an event of the bridge for its subscribers": {
    act: (observer) => observer.announced("delivery.failed", ["wh_1"]),
    counts: { 'events_total{event="delivery.failed"}': 1, 'deliveries_enqueued_total{webhook="wh_1"}': 1 },
  },
  "a dead letter without an event": {
    act: (observer) => observer.suppressed(),
    counts: { events_suppressed_total: 1 },
  },
  "discarded deliveries, all at once": {
    act: (observer) => observer.discarded("wh_1", 40, "too old"),
    lines: [{ level: "warn", webhook_id: "wh_1", count: 40, reason: "too old", msg: "deliveries_discarded" }],
    counts: { 'deliveries_discarded_total{webhook="wh_1"}': 40 },
  },
  "a flush": {
    act: (observer) => observer.flushed(1_500),
    counts: { enqueue_duration_seconds_count: 1 },
  },
  "a failed flush": {
    act: (observer) => observer.partFailed("enqueue", new Error("away")),
    lines: [{ level: "warn", part: "enqueue", error: "away", msg: "part_failed" }],
    counts: { enqueue_failures_total: 1 },
  },
  "a failed part that is no flush, without a count": {
    act: (observer) => observer.partFailed("lease", new Error("away")),
    lines: [{ level: "warn", part: "lease", error: "away", msg: "part_failed" }],
    counts: {},
  },
  "a reply that cannot be stored": {
    act: (observer) => observer.replyFailed(new Error("away")),
    lines: [{ level: "warn", part: "reply", error: "away", msg: "part_failed" }],
  },
  "retained messages that cannot be stored": {
    act: (observer) => observer.snapshotFailed(new Error("away")),
    lines: [{ level: "warn", part: "snapshot", error: "away", msg: "part_failed" }],
  },
};

describe("the observer", () => {
  for (const [reason, { act, lines = [], counts }] of Object.entries(cases)) {
    it(`records ${reason}`, async () => {
      const seen = observed();
      act(seen.observer);
      assertLines(seen.lines, lines);
      if (counts) assert.deepEqual(await counted(seen), counts);
    });
  }

  const checks: [agreed: boolean, outcome: string][] = [
    [true, "agreed"],
    [false, "pending"],
  ];
  for (const [agreed, outcome] of checks) {
    it(`records an ownership check that is ${outcome} after it`, () => {
      const { observer, lines } = observed();
      observer.askedOwner(webhook, failed, agreed);
      const answer = { status: 500, error: "http_error", detail: "500" };
      assertLines(lines, [{ level: "info", webhook_id: "wh_1", outcome, ...answer, msg: "owner_asked" }]);
    });
  }

  const repeats: [reason: string, afterMs: number, part: "outbox" | "events", lines: number][] = [
    ["once within ten seconds", 9_999, "outbox", 1],
    ["again after ten seconds", 10_000, "outbox", 2],
    ["at once for another part", 0, "events", 2],
  ];
  for (const [reason, afterMs, part, count] of repeats) {
    it(`complains ${reason}`, (t) => {
      t.mock.timers.enable({ apis: ["Date"], now: 1_000_000 });
      const { observer, lines } = observed();
      observer.partFailed("outbox", new Error("away"));
      t.mock.timers.tick(afterMs);
      observer.partFailed(part, new Error("away"));
      assert.equal(lines.length, count);
    });
  }

  it("counts every failed flush, also without a line", async () => {
    const seen = observed();
    for (let i = 0; i < 3; i++) seen.observer.partFailed("enqueue", new Error("away"));
    assert.deepEqual([seen.lines.length, await counted(seen)], [1, { enqueue_failures_total: 3 }]);
  });

  const labels: [reason: string, size: number, id: string, label: string][] = [
    ["has its id", 1, "wh_1", "wh_1"],
    ["has its id beside as many as are labelled", MAX_LABELLED_WEBHOOKS, "wh_1", "wh_1"],
    ["has none beside more", MAX_LABELLED_WEBHOOKS + 1, "wh_1", ""],
    ["has none once it is removed", 1, "wh_gone", ""],
  ];
  for (const [reason, size, id, label] of labels) {
    it(`labels a webhook: it ${reason}`, async () => {
      const seen = observed(size);
      seen.observer.added(id);
      assert.deepEqual(await counted(seen), { [`deliveries_enqueued_total{webhook="${label}"}`]: 1 });
    });
  }

  it("passes what it counts to the statistics over time, the duration of a call once for its batch", () => {
    const { observer, series } = observed();
    observer.received("other_copy", message, []);
    observer.received("enqueued", message, ["wh_1", "wh_2"]);
    observer.added("wh_3");
    observer.announced("webhook.failing", ["wh_4"]);
    observer.attempted(...attempted(failed, retry));
    observer.attempted(...attempted(batch(true), { kind: "delivered" }));
    observer.attempted(...attempted(batch(false), { kind: "delivered" }));
    observer.filtered(webhook, message);
    observer.published(outgoing, { kind: "sent" }, performance.now());
    observer.forget("wh_1");
    assert.deepEqual(series, [
      ["received"],
      ...["wh_1", "wh_2", "wh_3", "wh_4"].map((id) => ["enqueued", id]),
      ["attempted", "wh_1", "retryAt", 12.6],
      ["attempted", "wh_1", "delivered", 3],
      ["attempted", "wh_1", "delivered", undefined],
      ["filtered", "wh_1"],
      ["published", "sent"],
      ["forget", "wh_1"],
    ]);
  });

  it("forgets all labels of a removed webhook", async () => {
    const seen = observed();
    const { observer, metrics } = seen;
    observer.added("wh_1");
    observer.filtered(webhook, message);
    observer.discarded("wh_1", 1, "too old");
    observer.attempted(...attempted(succeeded, { kind: "delivered" }));
    observer.attempted(...attempted(failed, { kind: "dead" }));
    const labelled = async () => (await metrics.registry.metrics()).match(/wh_1/g)?.length ?? 0;
    assert.ok((await labelled()) >= 7);
    observer.forget("wh_1");
    assert.equal(await labelled(), 0);
  });
});
