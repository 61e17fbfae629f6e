/** `POST /v1/messages/batch`: every message is processed on its own, in order, byte for byte. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import request from "supertest";
import { type BatchPorts, publishBatch } from "../../src/downlink/batch.ts";
import { type Refused, refuseField } from "../../src/errors.ts";
import { problemOf } from "../../src/http/problem.ts";
import { AUTH, type Downlink, MAX_PAYLOAD_BYTES, startDownlink } from "./support.ts";

describe("POST /v1/messages/batch", () => {
  let test: Downlink;
  before(async () => {
    test = await startDownlink();
  });
  after(() => test.app.close());
  beforeEach(() => {
    test.published.length = 0;
    test.outcome = { kind: "sent" };
    test.onPublish = undefined;
  });

  const post = (json: string, headers: Record<string, string> = {}) =>
    request(test.app.server)
      .post("/v1/messages/batch")
      .set({ ...AUTH, "content-type": "application/json", ...headers })
      .send(json);

  async function resultsOf(messages: unknown[]) {
    const answer = await post(JSON.stringify({ messages }));
    assert.equal(answer.status, 200, answer.text);
    assert.match(answer.headers["content-type"]!, /^application\/json/);
    return answer.body.results;
  }

  it("publishes in order, fills in the defaults and responds to each message as to a single publish", async () => {
    const results = await resultsOf([
      { topic: "a", payload: "x" },
      { topic: "b", qos: 2, retain: true },
    ]);
    const sent = test.published.map(({ topic, qos, retain }) => ({ topic, qos, retain }));
    assert.deepEqual(sent, [
      { topic: "a", qos: 1, retain: false },
      { topic: "b", qos: 2, retain: true },
    ]);
    assert.deepEqual(
      results,
      test.published.map(({ id, topic, qos, retain }) => ({
        status: 200,
        ...{ id, topic, qos, retain },
        outcome: "sent",
        noMatchingSubscribers: null,
      })),
    );
  });

  it("publishes JSON byte for byte, even if the member `messages` occurs twice", async () => {
    const payloads = ["1.10", '{"b" :1.0,\t"a":[ 1e2 ]}', '"text, with ] and }"', "null", "12345678901234567890"];
    const items = payloads.map((text) => `{"topic":"t", "payload": ${text} }`).join(" ,\n ");
    await post(`{"messages":[{"topic":"x","payload":[]}], "messages" : [ ${items} ] }`).expect(200);
    const expected = payloads.map((text) => (text.startsWith('"') ? JSON.parse(text) : text));
    assert.deepEqual(
      test.published.map(({ payload }) => payload.toString()),
      expected,
    );
  });

  it("isolates a bad message from the others and names its fields", async () => {
    const bad: [unknown, code: string, path: string][] = [
      [{ topic: "a/+" }, "invalid_topic", "messages[1].topic"],
      [{ payload: 1 }, "invalid_request", "messages[2].topic"],
      [{ topic: "t", qos: 3 }, "invalid_request", "messages[3].qos"],
      [{ topic: "t", colour: "red" }, "invalid_request", "messages[4].colour"],
      [{ topic: "t", payload: 1, payloadBase64: "" }, "invalid_request", "messages[5].payload"],
      [{ topic: "t", payloadBase64: "a" }, "invalid_request", "messages[6].payloadBase64"],
      [{ topic: "t", payload: "x".repeat(MAX_PAYLOAD_BYTES + 1) }, "payload_too_large", "messages[7].payload"],
      [{ topic: "t", userProperties: { a: "\u0000" } }, "invalid_request", "messages[8].userProperties.a"],
      [{ topic: "t", sendAt: "tomorrow" }, "invalid_request", "messages[9].sendAt"],
      [null, "invalid_request", "messages[10]"],
      [[], "invalid_request", "messages[11]"],
      ["text", "invalid_request", "messages[12]"],
    ];
    const results = await resultsOf([{ topic: "first" }, ...bad.map(([item]) => item), { topic: "last" }]);
    assert.deepEqual(
      test.published.map(({ topic }) => topic),
      ["first", "last"],
    );
    assert.equal(results.length, bad.length + 2);
    assert.deepEqual([results[0].status, results.at(-1).status], [200, 200]);
    for (const [i, [, code, path]] of bad.entries()) {
      const { status, type, detail, errors, ...rest } = results[i + 1];
      assert.equal(rest.code, code);
      assert.equal(status, code === "payload_too_large" ? 413 : 400);
      assert.equal(type, `urn:causeway:problem:${code}`);
      assert.equal(errors[0].path, path);
      assert.ok(detail.startsWith(`${path}: `), detail);
    }
  });

  it("responds with 200 even if the broker refuses every message", async () => {
    test.outcome = { kind: "unavailable", reason: "connect ECONNREFUSED" };
    const results = await resultsOf([{ topic: "a" }, { topic: "b" }]);
    assert.deepEqual(
      results.map((result: { status: number; code: string }) => [result.status, result.code]),
      [
        [503, "broker_unavailable"],
        [503, "broker_unavailable"],
      ],
    );
  });

  it("refuses a body that is not a batch", async () => {
    for (const [body, path] of [
      [{ messages: [] }, "messages"],
      [{ messages: Array(1_001).fill({ topic: "t" }) }, "messages"],
      [{ messages: {} }, "messages"],
      [{}, "messages"],
      [{ messages: [{ topic: "t" }], more: 1 }, "more"],
    ] as const) {
      const answer = await post(JSON.stringify(body));
      assert.equal(answer.status, 400);
      assert.equal(answer.body.errors[0].path, path);
    }
    assert.equal(test.published.length, 0);
  });

  it("accepts 1,000 messages of 20 KB, starts 250 at once and the others as results arrive", async () => {
    let [underWay, most] = [0, 0];
    test.onPublish = async () => {
      most = Math.max(most, ++underWay);
      await new Promise(setImmediate);
      underWay--;
      return { kind: "acknowledged", reasonCode: 0 };
    };
    const payload = "x".repeat(20_000);
    const messages = Array.from({ length: 1_000 }, (_, i) => ({ topic: `t/${i}`, payload }));
    const results = await resultsOf(messages);
    assert.equal(most, 250);
    assert.deepEqual(
      results.map(({ topic }: { topic: string }) => topic),
      messages.map(({ topic }) => topic),
    );
    assert.deepEqual(
      test.published.map(({ topic }) => topic),
      messages.map(({ topic }) => topic),
    );
  });

  it("refuses a body above 32 MiB", async () => {
    const answer = await post(`{"messages":[{"topic":"t"}]${" ".repeat(32 * 1024 * 1024)}}`);
    assert.deepEqual([answer.status, answer.body.code], [413, "payload_too_large"]);
  });

  it("is executed once under an idempotency key", async () => {
    const json = JSON.stringify({ messages: [{ topic: "a" }, { topic: "a/#" }] });
    const first = await post(json, { "idempotency-key": "k" });
    const second = await post(json, { "idempotency-key": "k" });
    assert.equal(second.headers["idempotent-replayed"], "true");
    assert.deepEqual(second.body, first.body);
    assert.equal(test.published.length, 1);
  });
});

describe("a batch of a caller with limited rights", () => {
  const ports = (fields: Partial<BatchPorts>): BatchPorts => ({
    faults: () => [],
    publishOne: async ({ topic }) => ({ status: 200, topic }),
    check: () => undefined,
    take: () => undefined,
    refusal: (error, index) => JSON.stringify([index, problemOf(error as Refused)]),
    ...fields,
  });

  it("is refused per message where the topic is not allowed", async () => {
    const check = (topic: string, path: string) =>
      topic === "b" ? refuseField("forbidden_topic", path, "is not allowed") : undefined;
    const answer = await publishBatch([{ topic: "a" }, { topic: "b" }], "", ports({ check }));
    const { results } = JSON.parse(answer);
    const [published, [index, problem]] = results;
    assert.deepEqual([published.status, index, problem.status], [200, 1, 403]);
    assert.deepEqual(problem.errors, [{ path: "topic", message: "is not allowed" }]);
  });

  it("is refused as a whole above the rate limit", async () => {
    const take = (count: number) => {
      throw new Error(`limited: ${count}`);
    };
    await assert.rejects(publishBatch([{}, {}], "", ports({ take })), { message: "limited: 1" });
  });
});
