/** `payloadFormat` of a publish: what the device receives, and the field of a refusal. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import request from "supertest";
import { AUTH, type Downlink, startDownlink } from "./support.ts";

describe("payloadFormat", () => {
  let test: Downlink;
  before(async () => {
    test = await startDownlink();
  });
  after(() => test.app.close());
  beforeEach(() => {
    test.published.length = 0;
    test.outcome = { kind: "sent" };
  });

  const post = (json: string, path = "/v1/messages") =>
    request(test.app.server).post(path).set(AUTH).set("content-type", "application/json").send(json);

  for (const [format, payload, hex, contentType] of [
    ["cbor", '{"n": 12345678901234567890}', "a1616e1bab54a98ceb1f0ad2", "application/cbor"],
    ["cbor", '"text"', "6474657874", "application/cbor"],
    ["msgpack", "[1.5,-1]", "92cb3ff8000000000000ff", "application/msgpack"],
    ["sparkplug", '{"metrics":[{"name":"a","dataType":"Boolean","value":true}]}', "12070a0161200b7001", undefined],
    ["auto", '{"n": 1.10}', Buffer.from('{"n": 1.10}').toString("hex"), undefined],
  ] as const) {
    it(`${format} encodes ${payload}`, async () => {
      const { status, text } = await post(`{"topic":"t","payload":${payload},"payloadFormat":"${format}","qos":0}`);
      assert.equal(status, 200, text);
      const published = test.published.at(-1)!;
      assert.equal(published.payload.toString("hex"), hex);
      assert.equal(published.contentType, contentType);
    });
  }

  it("keeps a content type that is given, and applies to batches", async () => {
    const message = { topic: "t", payload: 1, payloadFormat: "cbor", contentType: "application/senml+cbor" };
    const { body } = await post(
      JSON.stringify({ messages: [message, { ...message, payload: undefined }] }),
      "/v1/messages/batch",
    );
    assert.deepEqual([body.results[0].status, body.results[1].errors[0].path], [200, "messages[1].payload"]);
    assert.equal(test.published.at(-1)!.contentType, "application/senml+cbor");
  });

  for (const [why, body, path] of [
    ["no payload", { payloadFormat: "cbor" }, "payload"],
    ["bytes", { payloadFormat: "cbor", payloadBase64: "AA==" }, "payloadFormat"],
    ["an unknown format", { payloadFormat: "xml", payload: 1 }, "payloadFormat"],
    [
      "a document that is not Sparkplug",
      { payloadFormat: "sparkplug", payload: { metrics: [{}] } },
      "payload.metrics[0]",
    ],
    ["an integer beyond 64 bits", '{"topic":"t","payloadFormat":"msgpack","payload":99999999999999999999}', "payload"],
  ] as const) {
    it(`refuses ${why}, naming ${path}`, async () => {
      const answer = await post(typeof body === "string" ? body : JSON.stringify({ topic: "t", ...body }));
      assert.equal(answer.status, 400);
      assert.equal(answer.body.errors[0].path, path);
      assert.equal(test.published.length, 0);
    });
  }
});
