/** `POST /v1/messages` publishes exactly the requested message, and a refusal names the field. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import request from "supertest";
import fc from "../support/property.ts";
import { AUTH, type Downlink, MAX_PAYLOAD_BYTES, startDownlink } from "./support.ts";

describe("POST /v1/messages", () => {
  let test: Downlink;
  before(async () => {
    test = await startDownlink();
  });
  after(() => test.app.close());
  beforeEach(() => {
    test.published.length = 0;
    test.outcome = { kind: "sent" };
  });

  const post = (json: string) =>
    request(test.app.server).post("/v1/messages").set(AUTH).set("content-type", "application/json").send(json);

  async function publishedBy(body: object | string) {
    const answer = await post(typeof body === "string" ? body : JSON.stringify(body));
    assert.equal(answer.status, 200, answer.text);
    return test.published.at(-1)!;
  }

  async function refusal(body: object): Promise<{ status: number; code: string; path: string }> {
    const { status, body: problem } = await post(JSON.stringify(body));
    assert.equal(test.published.length, 0);
    return { status, code: problem.code, path: problem.errors[0].path };
  }

  for (const text of [
    "12345678901234567890",
    "1.10",
    '{"b" :1.0,\t"a":[ 1e2 ]}',
    "null",
    "false",
    "[]",
    '{"\\u0061":"\\/"}',
  ]) {
    it(`publishes the JSON ${text} byte for byte`, async () => {
      const { payload } = await publishedBy(`{"topic":"t", "payload":  ${text}  , "qos":0}`);
      assert.equal(payload.toString(), text);
    });
  }

  it("publishes any JSON document that is not a string as it was written", async () => {
    await fc.assert(
      fc.asyncProperty(fc.json({ maxDepth: 3 }), fc.constantFrom(undefined, 1, "\t"), async (json, indent) => {
        const text = JSON.stringify(JSON.parse(json), null, indent);
        if (text.startsWith('"') || text.length > MAX_PAYLOAD_BYTES) return;
        const { payload } = await publishedBy(`{"payload":${text},"topic":"t"}`);
        assert.equal(payload.toString(), text);
      }),
      { numRuns: 100 },
    );
  });

  it("publishes a string as its text, including null characters", async () => {
    for (const text of ["", "plain", '{"a":1}', "a\u0000b", "é😀", '"quoted"']) {
      assert.deepEqual((await publishedBy({ topic: "t", payload: text })).payload, Buffer.from(text));
    }
  });

  it("publishes base64 as its bytes, and no payload as the empty payload", async () => {
    const bytes = Buffer.from([0, 255, 0, 10]);
    assert.deepEqual((await publishedBy({ topic: "t", payloadBase64: bytes.toString("base64") })).payload, bytes);
    assert.deepEqual((await publishedBy({ topic: "t" })).payload, Buffer.alloc(0));
    assert.deepEqual((await publishedBy({ topic: "t", payloadBase64: "" })).payload, Buffer.alloc(0));
  });

  it("passes on every field and fills in the defaults", async () => {
    const correlationData = Buffer.from([1, 0, 255]);
    const fields = {
      topic: "a/ü/c",
      qos: 2,
      retain: true,
      contentType: "text/plain; charset=utf-8",
      responseTopic: "r/t",
      expirySeconds: 4_294_967_295,
      userProperties: { one: "1", many: ["a", "b"], "": "" },
    } as const;
    const { id, payload, ...got } = await publishedBy({
      ...fields,
      payload: "x",
      correlationData: correlationData.toString("base64"),
    });
    assert.deepEqual(got, { ...fields, correlationData });
    assert.match(id, /^msg_/);
    assert.equal(payload.toString(), "x");
    const { qos, retain, contentType } = await publishedBy({ topic: "t" });
    assert.deepEqual([qos, retain, contentType], [1, false, undefined]);
  });

  for (const topic of ["", "a/+/b", "a/#", "#", "a\u0000b", "é".repeat(32_768)]) {
    const name = topic.length > 20 ? "of 65,536 bytes" : JSON.stringify(topic);
    it(`refuses the topic ${name} and names the field`, async () => {
      assert.deepEqual(await refusal({ topic }), { status: 400, code: "invalid_topic", path: "topic" });
      assert.deepEqual(await refusal({ topic: "t", responseTopic: topic }), {
        status: 400,
        code: "invalid_topic",
        path: "responseTopic",
      });
    });
  }

  for (const [path, fields] of [
    ["payloadBase64", { payloadBase64: "a" }],
    ["payloadBase64", { payloadBase64: "!!!!" }],
    ["correlationData", { correlationData: "a" }],
    ["correlationData", { correlationData: Buffer.alloc(65_536).toString("base64") }],
    ["contentType", { contentType: "a\u0000b" }],
    ["contentType", { contentType: "é".repeat(32_768) }],
    ["contentType", { contentType: "\ud800" }],
    ["userProperties.a", { userProperties: { a: "\u0000" } }],
    ["userProperties.a", { userProperties: { a: ["ok", "\u0000"] } }],
    ["qos", { qos: 3 }],
    ["qos", { qos: "1" }],
    ["retain", { retain: "yes" }],
    ["expirySeconds", { expirySeconds: -1 }],
    ["expirySeconds", { expirySeconds: 4_294_967_296 }],
    ["colour", { colour: "red" }],
  ] as const) {
    it(`refuses ${JSON.stringify(fields).slice(0, 60)} and names the field`, async () => {
      assert.deepEqual(await refusal({ topic: "t", ...fields }), { status: 400, code: "invalid_request", path });
    });
  }

  it("refuses payload combined with payloadBase64", async () => {
    const { status, code } = await refusal({ topic: "t", payload: null, payloadBase64: "" });
    assert.deepEqual([status, code], [400, "invalid_request"]);
  });

  it("accepts a payload of exactly the limit and refuses one byte more", async () => {
    for (const [field, make] of [
      ["payload", (size: number) => "x".repeat(size)],
      ["payload", (size: number) => [1, "x".repeat(size - '[1,""]'.length)]],
      ["payloadBase64", (size: number) => Buffer.alloc(size).toString("base64")],
    ] as const) {
      const { payload } = await publishedBy({ topic: "t", [field]: make(MAX_PAYLOAD_BYTES) });
      assert.equal(payload.length, MAX_PAYLOAD_BYTES);
      test.published.length = 0;
      const problem = await refusal({ topic: "t", [field]: make(MAX_PAYLOAD_BYTES + 1) });
      assert.deepEqual(problem, { status: 413, code: "payload_too_large", path: field });
    }
  });
});
