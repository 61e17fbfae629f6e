/** The gauges of `/metrics`: the lines of a reading, and the lines that are missing while the store is away. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { addGauges, createMetrics, metricsPage } from "../../src/ops/metrics.ts";

type Reading = Awaited<ReturnType<Parameters<typeof addGauges>[1]>>;

const nothing: Reading = {
  waiting: [],
  uplinkPending: 0,
  outboxWaiting: 0,
  up: {},
  webhooks: 0,
  failing: 0,
  books: undefined,
};
const books: Reading["books"] = {
  messages: { received: 5, unmatched: 2, unmatchedBy: {} as never, enqueued: 3 },
  deliveries: { enqueued: 9, succeeded: 4, failed: 3, waiting: 2, discarded: 0 },
};
const counts = { pending: 0, retrying: 0, active: 0, failed: 0 };

/** Returns the lines of the page that begin with `causeway_` and a name that matches. */
async function linesOf(registry: { metrics(): Promise<string> }, name: RegExp): Promise<string[]> {
  const lines = (await registry.metrics()).split("\n");
  return lines.filter((line) => line.startsWith("causeway_") && name.test(line));
}

describe("a gauge", () => {
  const cases: [reason: string, reading: Partial<Reading>, name: RegExp, ...lines: string[]][] = [
    [
      "has each status of each webhook",
      { waiting: [{ webhook: "wh_1", pending: 1, retrying: 2, active: 3, failed: 4 }] },
      /^causeway_deliveries\{/,
      ...["pending", "retrying", "active", "failed"].map(
        (status, i) => `causeway_deliveries{webhook="wh_1",status="${status}"} ${i + 1}`,
      ),
    ],
    ["has no line without webhooks", {}, /^causeway_deliveries/],
    ["is 1 for a part that works", { up: { broker: true } }, /^causeway_up\{/, 'causeway_up{part="broker"} 1'],
    ["is 0 for a part that does not", { up: { store: false } }, /^causeway_up\{/, 'causeway_up{part="store"} 0'],
    ["has no line for a part that this process lacks", { up: {} }, /^causeway_up\{/],
    ["counts webhooks", { webhooks: 3 }, /^causeway_webhooks /, "causeway_webhooks 3"],
    ["counts failing webhooks", { failing: 2 }, /^causeway_webhooks_failing /, "causeway_webhooks_failing 2"],
    [
      "counts messages that are not durable",
      { uplinkPending: 7 },
      /unacknowledged/,
      "causeway_uplink_unacknowledged 7",
    ],
    ["counts messages that wait for their publication", { outboxWaiting: 8 }, /outbox/, "causeway_outbox_waiting 8"],
    [
      "is not a number while the store cannot count",
      { outboxWaiting: Number.NaN },
      /outbox/,
      "causeway_outbox_waiting Nan",
    ],
    [
      "has the ledger of messages",
      { books },
      /books_messages/,
      ...['received"} 5', 'unmatched"} 2', 'enqueued"} 3'].map((end) => `causeway_books_messages{column="${end}`),
    ],
    [
      "has the ledger of deliveries",
      { books },
      /books_deliveries/,
      ...['enqueued"} 9', 'succeeded"} 4', 'failed"} 3', 'waiting"} 2', 'discarded"} 0'].map(
        (end) => `causeway_books_deliveries{column="${end}`,
      ),
    ],
    ["has no ledger while the store is away", {}, /^causeway_books/],
  ];
  for (const [reason, reading, name, ...lines] of cases) {
    it(reason, async () => {
      const metrics = createMetrics();
      addGauges(metrics, async () => ({ ...nothing, ...reading }));
      assert.deepEqual(await linesOf(metrics.registry, name), lines);
    });
  }
});

describe("a page", () => {
  it("is read once for all its gauges, and anew the next time", async () => {
    let readings = 0;
    const metrics = createMetrics();
    addGauges(metrics, async () => ({ ...nothing, webhooks: ++readings, failing: readings }));
    assert.deepEqual(await linesOf(metrics.registry, /^causeway_webhooks/), [
      "causeway_webhooks 1",
      "causeway_webhooks_failing 1",
    ]);
    assert.deepEqual(await linesOf(metrics.registry, /^causeway_webhooks/), [
      "causeway_webhooks 2",
      "causeway_webhooks_failing 2",
    ]);
  });

  it("shows no value of an earlier reading", async () => {
    const readings: Reading[] = [
      { ...nothing, books, waiting: [{ webhook: "wh_1", ...counts, pending: 1 }] },
      { ...nothing, waiting: [{ webhook: "wh_2", ...counts, pending: 2 }] },
    ];
    const metrics = createMetrics();
    addGauges(metrics, async () => readings.shift()!);
    await metrics.registry.metrics();
    const lines = await linesOf(metrics.registry, /^causeway_(books|deliveries\{)/);
    assert.deepEqual(
      lines.filter((line) => line.includes("wh_1") || line.includes("books")),
      [],
    );
    assert.ok(lines.includes('causeway_deliveries{webhook="wh_2",status="pending"} 2'));
  });

  it("has only the series of the given webhooks, or everything", async () => {
    const metrics = createMetrics();
    const waiting = ["wh_1", "wh_2", ""].map((webhook) => ({ webhook, ...counts }));
    addGauges(metrics, async () => ({ ...nothing, books, up: { broker: true }, waiting }));
    for (const webhook of ["wh_1", "wh_2", ""]) {
      metrics.delivered.inc(webhook);
      metrics.attemptSeconds.observe(0.1, webhook);
    }
    const all = await metricsPage(metrics);
    assert.match(all, /^causeway_books_messages\{/m);
    assert.match(all, /^process_cpu_seconds_total /m);
    const isOwn = (line: string) => line.includes('webhook="wh_1"');
    const lines = (page: string) => page.split("\n").filter((line) => line !== "" && !line.startsWith("#"));
    const own = await metricsPage(metrics, ["wh_1"]);
    assert.deepEqual(lines(own), lines(all).filter(isOwn));
    assert.match(own, /^# TYPE causeway_deliveries gauge$/m);
    assert.ok(lines(own).includes('causeway_deliveries_succeeded_total{webhook="wh_1"} 1'));
    assert.equal((await metricsPage(metrics, [])).trim(), "");
  });

  it("fails with its reading, and works again", async () => {
    let fails = true;
    const metrics = createMetrics();
    addGauges(metrics, async () => (fails ? Promise.reject(new Error("away")) : nothing));
    await assert.rejects(metrics.registry.metrics(), /away/);
    fails = false;
    assert.deepEqual(await linesOf(metrics.registry, /^causeway_webhooks /), ["causeway_webhooks 0"]);
  });
});
