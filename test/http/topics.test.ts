import assert from "node:assert/strict";
import { request as httpRequest } from "node:http";
import type { AddressInfo } from "node:net";
import { after, before, describe, it } from "node:test";
import request from "supertest";
import { MAX_TOPIC_BYTES, topicNameError } from "../../src/topic.ts";
import fc, { codePoint } from "../support/property.ts";
import { AUTH, MAX_PAYLOAD_BYTES, type TestApp, testApp } from "./support.ts";

describe("topics", () => {
  let test: TestApp;
  before(async () => {
    test = await testApp();
    await test.app.listen({ port: 0, host: "127.0.0.1" });
  });
  after(() => test.app.close());

  /** Sends path and body unchanged: supertest would normalise the path and serialise the body. */
  function send(options: { path: string; method?: string; headers?: object; body?: Buffer | string }) {
    const { path, method = "POST", headers = {}, body } = options;
    const { port } = test.app.server.address() as AddressInfo;
    const target = { port, host: "127.0.0.1", method, path, headers: { ...AUTH, ...headers }, agent: false };
    return new Promise<{ status: number; text: string }>((resolve, reject) => {
      const sent = httpRequest(target, (response) => {
        let text = "";
        response.on("data", (chunk) => {
          text += chunk;
        });
        response.on("end", () => resolve({ status: response.statusCode!, text }));
      });
      sent.on("error", reject).end(body);
    });
  }

  const publishTo = async (path: string) => (await send({ path })).status;

  async function topicOf(path: string): Promise<string> {
    assert.equal(await publishTo(path), 200, path.slice(0, 100));
    return (test.seen.at(-1)!.params as { topic: string }).topic;
  }

  it("accepts slashes, plain and percent-encoded", async () => {
    assert.equal(await topicOf("/v1/topics/a/b/c"), "a/b/c");
    assert.equal(await topicOf("/v1/topics/a%2Fb%2fc"), "a/b/c");
    assert.equal(await topicOf("/v1/topics/a%2Fb/c?qos=2"), "a/b/c");
  });

  it("keeps leading, trailing and double slashes", async () => {
    for (const topic of ["/a", "//", "/", "a/", "a//b", "//a//b//"]) {
      assert.equal(await topicOf(`/v1/topics/${topic}`), topic);
      assert.equal(await topicOf(`/v1/topics/${encodeURIComponent(topic)}`), topic);
    }
  });

  it("decodes exactly once", async () => {
    assert.equal(await topicOf("/v1/topics/100%25"), "100%");
    assert.equal(await topicOf("/v1/topics/a%252Fb"), "a%2Fb");
    assert.equal(await topicOf("/v1/topics/%2525/%E2%82%AC%2F+"), "%25/€/+");
  });

  it("accepts names that look like routes of the router", async () => {
    for (const topic of [":id", "*", "a?b#c;d", "..", "a/../b", "$SYS/x", " "]) {
      assert.equal(await topicOf(`/v1/topics/${encodeURIComponent(topic)}`), topic);
    }
  });

  it("requires percent-encoding, with a problem, where Node cannot read the path", async () => {
    const answer = await send({ path: `/v1/topics/${Buffer.from("küche").toString("latin1")}` });
    assert.equal(answer.status, 400);
    assert.match(answer.text, /"detail":"the path must be percent-encoded","code":"invalid_request"/);
    const long = await send({ path: `/v1/topics/${"a".repeat(300_000)}` });
    assert.match(long.text, /"detail":"the request line and the headers are too long"/);
  });

  it("accepts a topic of 65,535 bytes, all of them percent-encoded", async () => {
    const topic = `${"é".repeat(32_767)}/`;
    assert.equal(Buffer.byteLength(topic), MAX_TOPIC_BYTES);
    assert.equal(await topicOf(`/v1/topics/${encodeURIComponent(topic)}`), topic);
  });

  it("passes the empty topic on, for the handler to refuse", async () => {
    assert.equal(await topicOf("/v1/topics/"), "");
  });

  it("preserves any valid topic in both forms", async () => {
    const topics = fc
      .array(fc.string({ unit: codePoint, maxLength: 12 }), { minLength: 1, maxLength: 5 })
      .map((levels) => levels.join("/"))
      .filter((topic) => topicNameError(topic) === undefined);
    await fc.assert(
      fc.asyncProperty(topics, async (topic) => {
        assert.equal(await topicOf(`/v1/topics/${encodeURIComponent(topic)}`), topic);
        assert.equal(await topicOf(`/v1/topics/${topic.split("/").map(encodeURIComponent).join("/")}`), topic);
      }),
      { numRuns: 150 },
    );
  });

  it("refuses malformed percent-encoding", async () => {
    for (const path of ["%", "%z", "%zz", "a/%E0%A4%A", "%FF", "%C0%80", "a%2"]) {
      assert.equal(await publishTo(`/v1/topics/${path}`), 400, path);
    }
    const { body } = await request(test.app.server).get("/v1/topics/%FF").set(AUTH);
    assert.equal(body.code, "invalid_topic");
    assert.equal(body.errors[0].path, "topic");
  });

  it("reads query parameters by their types and fills in the defaults", async () => {
    await topicOf("/v1/topics/a?qos=2&retain=true&expirySeconds=60");
    assert.deepEqual({ ...(test.seen.at(-1)!.query as object) }, { qos: 2, retain: true, expirySeconds: 60 });
    await topicOf("/v1/topics/a");
    assert.deepEqual({ ...(test.seen.at(-1)!.query as object) }, { qos: 1, retain: false });
  });

  it("refuses wrong and unknown query parameters by name", async () => {
    const wrong = [
      "qos=3",
      "qos=",
      "qos=x",
      "qos=1&qos=1",
      "retain=1",
      "expirySeconds=-1",
      "expirySeconds=4294967296",
      "x=1",
    ];
    for (const query of wrong) {
      const { status, body } = await request(test.app.server).post(`/v1/topics/a?${query}`).set(AUTH);
      assert.equal(status, 400, query);
      assert.equal(body.errors[0].path, `query.${query.split("=")[0]}`);
    }
    assert.equal((await request(test.app.server).put("/v1/topics/a?retain=true").set(AUTH)).status, 400);
  });

  it("accepts bodies as bytes for any content type", async () => {
    const body = Buffer.from([0, 0xff, 0x7b, 0x0a]);
    for (const type of [
      "application/json",
      "application/octet-stream",
      "text/plain; charset=latin1",
      "image/*",
      "odd",
    ]) {
      const headers = { "content-type": type, "content-length": body.length };
      const { status } = await send({ method: "PUT", path: "/v1/topics/a", headers, body });
      assert.equal(status, 200, type);
      assert.deepEqual(test.seen.at(-1)!.body, body);
      assert.equal(test.seen.at(-1)!.contentType, type);
    }
  });

  it("accepts bytes without a content type, and an empty body as an empty payload", async () => {
    const chunked = { "transfer-encoding": "chunked" };
    const json = { "content-type": "application/json", "content-length": 0 };
    for (const [method, headers, body] of [
      ["POST", chunked, "[1, "],
      ["PUT", chunked, ""],
      ["POST", json, ""],
      ["POST", {}, ""],
    ] as const) {
      await send({ method, path: "/v1/topics/a", headers, body });
      assert.deepEqual(test.seen.at(-1)!.body, Buffer.from(body));
    }
  });

  it("accepts a payload of exactly the limit and refuses one byte more", async () => {
    const path = "/v1/topics/a";
    assert.equal((await send({ path, body: Buffer.alloc(MAX_PAYLOAD_BYTES) })).status, 200);
    for (const headers of [{}, { "transfer-encoding": "chunked" }]) {
      const { status, text } = await send({ path, headers, body: Buffer.alloc(MAX_PAYLOAD_BYTES + 1) });
      assert.equal(status, 413);
      assert.match(text, new RegExp(`"detail":"at most ${MAX_PAYLOAD_BYTES} bytes","code":"payload_too_large"`));
    }
  });

  it("responds with bytes and their content type, and to HEAD without the bytes", async () => {
    const response = await request(test.app.server).get("/v1/topics/a/b").set(AUTH);
    assert.equal(response.headers["content-type"], "image/png");
    assert.equal(response.headers["x-content-type-options"], "nosniff");
    assert.deepEqual(response.body, Buffer.from([0, 255]));
    const head = await request(test.app.server).head("/v1/topics/a/b").set(AUTH);
    assert.equal(head.status, 200);
    assert.equal(head.headers["content-length"], "2");
  });
});
