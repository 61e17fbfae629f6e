/** The HTTP response reflects the outcome of a publish, for each way of publishing. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import request from "supertest";
import type { PublishResult } from "../../src/downlink/publish.ts";
import { AUTH, type Downlink, startDownlink } from "./support.ts";

const ok = (outcome: string, noMatchingSubscribers: boolean | null) => ({
  status: 200,
  outcome,
  noMatchingSubscribers,
});

const TABLE: [name: string, PublishResult, answer: Record<string, unknown>][] = [
  ["sent", { kind: "sent" }, ok("sent", null)],
  ["acknowledged, someone subscribes", { kind: "acknowledged", reasonCode: 0 }, ok("acknowledged", false)],
  ["acknowledged, nobody subscribes", { kind: "acknowledged", reasonCode: 0x10 }, ok("acknowledged", true)],
  ["acknowledged by 3.1.1", { kind: "acknowledged", reasonCode: undefined }, ok("acknowledged", null)],
  [
    "refused",
    { kind: "refused", reasonCode: 0x87, reason: "Not authorized" },
    { status: 502, code: "broker_refused", detail: "the broker answered 0x87: Not authorized" },
  ],
  [
    "unavailable",
    { kind: "unavailable", reason: "connect ECONNREFUSED" },
    { status: 503, code: "broker_unavailable", detail: "connect ECONNREFUSED", retryAfter: "1" },
  ],
  [
    "timeout",
    { kind: "timeout", afterMs: 10_000 },
    {
      status: 504,
      code: "broker_timeout",
      detail: "no acknowledgement within 10 s; the message may have been published",
    },
  ],
  ["busy", { kind: "busy" }, { status: 429, code: "rate_limited", retryAfter: "1" }],
];

describe("the outcome of a publish", () => {
  let test: Downlink;
  before(async () => {
    test = await startDownlink();
  });
  after(() => test.app.close());
  beforeEach(() => {
    test.published.length = 0;
  });

  const calls = {
    "POST /v1/messages": () => request(test.app.server).post("/v1/messages").send({ topic: "a/b", payload: "x" }),
    "POST /v1/topics": () => request(test.app.server).post("/v1/topics/a/b").send("x"),
    "PUT /v1/topics": () => request(test.app.server).put("/v1/topics/a/b").send("x"),
    "DELETE /v1/topics": () => request(test.app.server).delete("/v1/topics/a/b"),
  };
  for (const [call, send] of Object.entries(calls)) {
    for (const [name, outcome, expected] of TABLE) {
      it(`${call}: ${name}`, async () => {
        test.outcome = outcome;
        const { status, body, headers } = await send().set(AUTH);
        const { code, detail, outcome: said, noMatchingSubscribers } = body;
        const answer = {
          status,
          code,
          detail,
          outcome: said,
          noMatchingSubscribers,
          retryAfter: headers["retry-after"],
        };
        for (const [field, value] of Object.entries(expected)) assert.deepEqual(answer[field as "code"], value, field);
        assert.equal(headers["retry-after"], expected.retryAfter);
        assert.equal(test.published.length, 1);
        if (status === 200) {
          const { id, topic, qos, retain } = test.published[0]!;
          assert.deepEqual(body, { id, topic, qos, retain, outcome: said, noMatchingSubscribers });
          assert.match(id, /^msg_[0-9a-f-]{36}$/);
          assert.deepEqual([topic, qos, retain], ["a/b", 1, /PUT|DELETE/.test(call)]);
        } else {
          assert.match(headers["content-type"]!, /^application\/problem\+json/);
          assert.equal(body.type, `urn:causeway:problem:${code}`);
        }
      });
    }
  }
});
