/** Content of deliveries on topics that the caller may read, and on others. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { detailed, listed, listedPage, received } from "../../src/api/delivery-content.ts";
import type { DeliveryDetail } from "../../src/uplink/queue/lists/delivery-queries.ts";
import { callerWith } from "../webhooks/support.ts";

const outcome = { at: "2026-03-01T12:00:00.000Z", statusCode: null, error: "transform_error", durationMs: 1 };
const message = {
  ...{ topic: "a/b", payload: "content", qos: 1 as const, retain: false },
  ...{ contentType: "content", responseTopic: "content", correlationData: "content" },
  userProperties: { content: "content" },
};
const delivery: DeliveryDetail = {
  ...{ messageId: "msg_1", webhookId: "wh_1", topic: "a/b", type: "mqtt.message", status: "failed", attempts: 1 },
  ...{ receivedAt: outcome.at, nextAttemptAt: null, finishedAt: null },
  lastAttempt: { ...outcome, detail: "content" },
  message,
  attemptLog: [
    {
      ...outcome,
      detail: "content",
      request: { method: "POST", url: "https://example.com/content", headers: { content: "content" } },
      responseBody: "content",
    },
  ],
};
const found = { message: { ...message, receivedAt: 0, place: { sequence: 1 } }, deliveries: [delivery] };
const [reader, other] = [callerWith({ read: ["a/#"] }), callerWith({ read: ["b/#"] })];

describe("the content of a delivery", () => {
  it("is unchanged for a caller that may read its topic", () => {
    assert.deepEqual(detailed(delivery, reader), delivery);
    assert.deepEqual(listed(delivery, reader), delivery);
    const { receivedAt: _, place: __, ...all } = found.message;
    const { direction, deliveries, ...shown } = received("msg_1", found, reader);
    const expected = { id: "msg_1", type: "mqtt.message", ...all, receivedAt: "1970-01-01T00:00:00.000Z" };
    assert.deepEqual([direction, shown], ["received", expected]);
    const { webhookId, status, attempts, lastAttempt } = delivery;
    assert.deepEqual(deliveries, [{ webhookId, status, attempts, lastAttempt }]);
  });

  it("is absent for another caller, with everything that can quote it", () => {
    const shown = [
      detailed(delivery, other),
      listedPage({ items: [delivery], nextCursor: null }, other).items.map(
        ({ lastAttempt, topic }: Pick<DeliveryDetail, "lastAttempt" | "topic">) => ({ lastAttempt, topic }),
      ),
      received("msg_1", found, other),
    ];
    for (const one of shown) {
      assert.ok(!JSON.stringify(one).includes("content"), JSON.stringify(one));
      assert.ok(JSON.stringify(one).includes('"topic":"a/b"'));
    }
    assert.deepEqual(detailed(delivery, other).message, { topic: "a/b", qos: 1, retain: false });
    assert.deepEqual(detailed(delivery, other).attemptLog, [{ ...outcome, request: null, responseBody: null }]);
  });
});
