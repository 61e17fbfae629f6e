import assert from "node:assert/strict";
import { test } from "node:test";
import { curlOf } from "../../dashboard/src/data/curl.ts";
import {
  addressQuery,
  apiQuery,
  canRetry,
  filtersOf,
  fromInput,
  leadOf,
  pageOfId,
  toInput,
  topicError,
} from "../../dashboard/src/pages/deliveries/filters.ts";
import {
  cancelReplays,
  countParts,
  matching,
  type ReplayClient,
  readProgress,
  retryEach,
  startReplays,
} from "../../dashboard/src/pages/deliveries/retries.ts";
import { CausewayError, type DeliveryDetail } from "../../src/client/index.ts";
import fc from "../support/property.ts";

const NOW = Date.parse("2026-03-02T12:00:00.000Z");
const signal = new AbortController().signal;

test("filters survive the way through the address", () => {
  const time = fc.constantFrom("", "2026-03-01T12:00:00.000Z", "2026-03-02T00:00:00.000Z");
  const filters = fc.record({
    status: fc.constantFrom("" as const, "failed" as const, "succeeded" as const),
    webhookId: fc.constantFrom("", "wh_1"),
    topic: fc.constantFrom("", "a/+/#"),
    range: fc.constantFrom("1h" as const, "24h" as const, "7d" as const, "custom" as const),
    since: time,
    until: time,
  });
  fc.assert(
    fc.property(filters, (given) => {
      const normal = given.range === "custom" ? { ...given } : { ...given, since: "", until: "" };
      assert.deepEqual(filtersOf(addressQuery(normal)), normal);
    }),
  );
});

test("an address with nonsense means the defaults", () => {
  const plain = { status: "", webhookId: "", topic: "", range: "24h", since: "", until: "" };
  assert.deepEqual(filtersOf({ status: "odd", range: "1y", since: "yesterday" }), plain);
  assert.equal(filtersOf({ since: "2026-03-01T12:00:00Z" }).range, "custom");
});

test("a range becomes times when it is asked", () => {
  assert.deepEqual(apiQuery(filtersOf({ status: "failed", range: "1h" }), NOW), {
    status: "failed",
    since: "2026-03-02T11:00:00.000Z",
  });
  assert.deepEqual(apiQuery(filtersOf({ range: "custom", topic: "a/#" }), NOW), { topic: "a/#" });
});

test("the first line tells how many failed, and when the count is not the whole", () => {
  assert.equal(leadOf(23, false, filtersOf({})), "23 failed in the last 24 h.");
  assert.equal(leadOf(1000, true, filtersOf({ range: "7d" })), "1,000 or more failed in the last 7 d.");
  assert.equal(leadOf(0, false, filtersOf({ range: "custom" })), "None failed among all that are kept.");
});

test("ids lead to their pages, and topics are checked", () => {
  assert.equal(pageOfId("msg_019a-3c"), "messages/msg_019a-3c");
  assert.equal(pageOfId("req_1"), "messages/req_1");
  assert.equal(pageOfId("wh_1"), "webhooks/wh_1");
  assert.equal(pageOfId("msg_1/../x"), undefined);
  assert.equal(topicError("devices/+/a"), undefined);
  assert.equal(topicError("#"), undefined);
  for (const wrong of ["a+/b", "a/#/b", "a#"]) assert.ok(topicError(wrong));
});

test("times of the form are of the zone that is shown", () => {
  assert.equal(toInput("2026-03-01T12:34:56.000Z", true), "2026-03-01T12:34");
  assert.equal(fromInput("2026-03-01T12:34", true), "2026-03-01T12:34:00.000Z");
  assert.equal(fromInput(toInput("2026-03-01T12:34:00.000Z", false), false), "2026-03-01T12:34:00.000Z");
  assert.equal(fromInput("", true), "");
});

test("a delivery that is sent or waits for its first attempt is not retried", () => {
  const lastAttempt = {};
  assert.ok(canRetry({ status: "failed", lastAttempt }));
  assert.ok(canRetry({ status: "retrying", lastAttempt }));
  assert.ok(!canRetry({ status: "retrying", lastAttempt: null }));
  assert.ok(!canRetry({ status: "pending", lastAttempt: null }));
  assert.ok(!canRetry({ status: "active", lastAttempt }));
});

const range = { status: "failed" as const, until: "2026-03-02T12:00:00.000Z" };
const conflict = new CausewayError(409, { code: "conflict", detail: "a replay of this webhook is in progress" });

/** Answers as a bridge with three webhooks, of which one has a replay already and one has nothing to retry. */
function bridge() {
  const calls: string[] = [];
  const counts: Record<string, number> = { wh_a: 2, wh_b: 20, wh_c: 0 };
  const replay = (webhookId: string, done: number, state: "running" | "finished" = "running") => ({
    id: `rpl_${webhookId}`,
    webhookId,
    state,
    count: counts[webhookId]!,
    done,
    createdAt: "",
    finishedAt: null,
  });
  const client: ReplayClient = {
    webhooks: {
      countReplay: async (id) => counts[id]!,
      replay: async (id) => {
        if (id === "wh_b") throw conflict;
        return replay(id, 0);
      },
      getReplay: async (id) => replay(id, counts[id]!, "finished"),
      cancelReplay: async (id, replayId) => {
        calls.push(`cancel ${id} ${replayId}`);
        throw conflict;
      },
    },
    deliveries: {
      list: async function* () {
        yield { webhookId: "wh_a", messageId: "msg_1" };
        yield { webhookId: "wh_a", messageId: "msg_2" };
      },
      retry: async (_id, messageId) => {
        calls.push(`retry ${messageId}`);
        if (messageId === "msg_2") throw conflict;
        return {} as never;
      },
    },
  };
  return { client, calls };
}

test("replays: counted, started and followed for each webhook, and one refusal does not hold up the others", async () => {
  const { client, calls } = bridge();
  const parts = await countParts(client, ["wh_a", "wh_b", "wh_c"], range, signal);
  assert.deepEqual(
    parts.map(({ webhookId, count }) => [webhookId, count]),
    [
      ["wh_b", 20],
      ["wh_a", 2],
    ],
  );
  const started = await startReplays(client, parts, range);
  assert.deepEqual(
    started.map(({ state, reason }) => [state, reason]),
    [
      ["failed", conflict.detail],
      ["running", undefined],
    ],
  );
  await cancelReplays(client, started);
  assert.deepEqual(calls, ["cancel wh_a rpl_wh_a"]);
  const [, done] = await readProgress(client, started);
  assert.deepEqual([done!.state, done!.done], ["finished", 2]);
});

test("one by one: every delivery, with the reasons of refusals", async () => {
  const { client, calls } = bridge();
  const { found, isMore } = await matching(client, range, signal);
  assert.equal(isMore, false);
  const progress: number[] = [];
  const { retried, reasons } = await retryEach(client, found, (done) => progress.push(done), signal);
  assert.deepEqual(calls, ["retry msg_1", "retry msg_2"]);
  assert.deepEqual(progress, [1, 2]);
  assert.equal(retried, 1);
  assert.deepEqual([...reasons], [[conflict.detail, 1]]);
});

test("one by one: a cancelled retry stops before the next delivery", async () => {
  const { client, calls } = bridge();
  const abort = new AbortController();
  const deliveries = [1, 2].map((n) => ({ webhookId: "wh_a", messageId: `msg_${n}` }));
  const { retried } = await retryEach(client, deliveries, () => abort.abort(), abort.signal);
  assert.equal(retried, 1);
  assert.deepEqual(calls, ["retry msg_1"]);
});

const attempt: DeliveryDetail["attemptLog"][number] = {
  at: "2026-03-01T12:00:00.000Z",
  statusCode: 500,
  error: "http_error",
  durationMs: 3,
  responseBody: null,
  request: {
    method: "POST",
    url: "https://example.com/a?b=1",
    headers: { "content-type": "text/plain", "content-length": "5", "webhook-signature": "********", "x-a": "it's" },
  },
};
const message = { topic: "a", qos: 1 as const, retain: false, payload: "it's 21.50" };

test("a command for curl has variables in the place of secrets, and a body only where it is certain", () => {
  assert.equal(
    curlOf(attempt, message, { mode: "binary" }),
    `curl -X POST 'https://example.com/a?b=1' \\
  -H 'content-type: text/plain' \\
  -H 'webhook-signature: '"$WEBHOOK_SIGNATURE" \\
  -H 'x-a: it'\\''s' \\
  --data-raw 'it'\\''s 21.50'`,
  );
  for (const webhook of [undefined, { mode: "structured" as const }, { mode: "binary" as const, transform: "x" }]) {
    assert.match(curlOf(attempt, message, webhook)!, /--data-binary @body$/);
  }
  assert.equal(curlOf({ ...attempt, request: null }, message, { mode: "binary" }), undefined);
});
