import assert from "node:assert/strict";
import { test } from "node:test";
import { rawMember } from "../../dashboard/src/data/raw-member.ts";
import {
  exactClock,
  isUnfinished,
  type Published,
  publishedLead,
  publishedSteps,
  type Received,
  receivedLead,
  receivedSteps,
  requestLead,
  requestSteps,
} from "../../dashboard/src/pages/messages/timeline.ts";
import type { DeliveryDetail, RequestState } from "../../src/client/index.ts";
import fc from "../support/property.ts";

const clock = (at: string) => exactClock(at, Date.parse("2026-03-01T18:00:00Z"), true).replace(" UTC", "");
const at = (second: number) => `2026-03-01T12:00:${String(second).padStart(2, "0")}.000Z`;

function delivery(webhookId: string, change: Partial<DeliveryDetail>): DeliveryDetail {
  const message = { topic: "a/b", qos: 1 as const, retain: false, payload: "1" };
  const none = { attemptLog: [], lastAttempt: null, nextAttemptAt: null, finishedAt: null };
  const head = { webhookId, messageId: "msg_1", topic: "a/b", receivedAt: at(0), attempts: 1, message };
  return { ...head, ...none, status: "succeeded", ...change };
}

function log(second: number, error: string | null) {
  return { at: at(second), statusCode: error ? 503 : 204, error, durationMs: 5, request: null, responseBody: null };
}

const details = [
  delivery("wh_a", { attemptLog: [log(1, "http_error"), log(6, null)], finishedAt: at(6), lastAttempt: log(6, null) }),
  delivery("wh_b", {
    status: "retrying",
    attemptLog: [log(2, "http_error")],
    lastAttempt: log(2, "http_error"),
    nextAttemptAt: at(9),
  }),
  delivery("wh_c", { filtered: true, finishedAt: at(1) }),
  delivery("wh_d", { status: "failed", attemptLog: [log(3, "http_error")], finishedAt: at(4) }),
];
const received: Received = {
  direction: "received",
  id: "msg_1",
  type: "mqtt.message",
  topic: "a/b",
  qos: 1,
  retain: false,
  receivedAt: "2026-03-01T12:00:00.120Z",
  deliveries: details.map(({ webhookId, status, attempts, lastAttempt }) => ({
    webhookId,
    status,
    attempts,
    lastAttempt,
  })),
};

test("a received message: its first line counts webhooks, and its steps are in the order of time", () => {
  assert.equal(
    receivedLead(received, details, clock),
    "Received 12:00:00.120, delivered to 1 of 3 webhooks, filtered out by 1.",
  );
  const steps = receivedSteps({ ...received, receivedAt: at(0) }, details, (id) => id);
  assert.deepEqual(
    steps.map(({ at, title, tone, isPlanned }) => `${at.slice(17, 19)} ${title} ${tone}${isPlanned ? " planned" : ""}`),
    [
      "00 Received live",
      "01 wh_a failed",
      "01 wh_c paused",
      "02 wh_b failed",
      "03 wh_d failed",
      "04 wh_d failed",
      "06 wh_a delivered",
      "09 wh_b retrying planned",
    ],
  );
  assert.equal(isUnfinished(received), true);
  assert.equal(isUnfinished({ ...received, deliveries: [] }), false);
  assert.equal(receivedLead({ ...received, deliveries: [] }, [], clock), "Received 12:00:00.120, sent to no webhook.");
});

const published: Published = {
  direction: "published",
  id: "msg_2",
  topic: "a/cmd",
  qos: 1,
  retain: false,
  outcome: "acknowledged",
  acceptedAt: at(0),
  sendAt: null,
  expiresAt: null,
  publishedAt: at(1),
  noMatchingSubscribers: true,
  error: null,
};

test("a published message: each outcome has its sentence", () => {
  const lead = (change: Partial<Published>) => publishedLead({ ...published, ...change }, clock);
  assert.equal(lead({}), "Published 12:00:01.000, acknowledged by the broker.");
  assert.equal(lead({ outcome: "sent" }), "Published 12:00:01.000 with QoS 0, which is not acknowledged.");
  assert.equal(lead({ outcome: "scheduled", sendAt: at(5) }), "Scheduled for 12:00:05.000.");
  assert.equal(lead({ outcome: "failed", error: "Not authorized" }), "Not published: Not authorized.");
  const titles = (change: Partial<Published>) => publishedSteps({ ...published, ...change }).map(({ title }) => title);
  assert.deepEqual(titles({}), ["Accepted", "Published, acknowledged"]);
  assert.match(publishedSteps(published)[1]!.text!, /no subscriber/);
  const waiting = { publishedAt: null, sendAt: at(5), expiresAt: at(9) };
  assert.deepEqual(titles({ ...waiting, outcome: "scheduled" }), ["Accepted", "Scheduled for this time", "Expires"]);
  assert.deepEqual(titles({ ...waiting, outcome: "expired", sendAt: null }), ["Accepted", "Expired unpublished"]);
  assert.equal(isUnfinished({ ...published, outcome: "queued" }), true);
  assert.equal(isUnfinished(published), false);
});

test("a request: each outcome has its sentence", () => {
  const request: RequestState = { id: "req_1", outcome: "pending", topic: "a", createdAt: at(0), expiresAt: at(9) };
  const response = { topic: "r", receivedAt: at(2) };
  assert.equal(
    requestLead({ ...request, outcome: "responded", response }, clock),
    "Asked 12:00:00.000, the device responded 12:00:02.000.",
  );
  assert.equal(requestLead(request, clock), "Asked 12:00:00.000, waits for the response until 12:00:09.000.");
  const titles = (change: Partial<RequestState>) => requestSteps({ ...request, ...change }).map(({ title }) => title);
  assert.deepEqual(titles({}), ["Request accepted", "Expires without a response"]);
  assert.deepEqual(titles({ outcome: "responded", response }), ["Request accepted", "Response"]);
  assert.deepEqual(titles({ outcome: "failed", error: "refused" }), ["Request accepted", "Not published"]);
});

test("a member keeps the characters it was sent with", () => {
  const json =
    '{"id":"x","list":[{"response":{"payload":1}}],"payload":2,"response":{"topic":"a","payload": {"t":21.50,"n":12345678901234567890, "l":[1.0,2]} ,"z":1}}';
  assert.equal(rawMember(json, ["response", "payload"]), '{"t":21.50,"n":12345678901234567890, "l":[1.0,2]}');
  assert.equal(rawMember('{"response":{"payload":21.50}}', ["response", "payload"]), "21.50");
  assert.equal(rawMember('{"response":{}}', ["response", "payload"]), undefined);
});

test("a member of any JSON is found", () => {
  fc.assert(
    fc.property(fc.jsonValue(), fc.jsonValue(), fc.nat(3), (before, value, indent) => {
      const text = JSON.stringify({ a: before, response: { b: before, payload: value, c: before } }, null, indent);
      assert.deepEqual(JSON.parse(rawMember(text, ["response", "payload"])!), JSON.parse(JSON.stringify(value)));
    }),
  );
});
