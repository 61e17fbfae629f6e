/** `/v1/topics/{topic}`: a topic as a resource with the payload as its body. */
import assert from "node:assert/strict";
import { after, before, beforeEach, describe, it } from "node:test";
import request from "supertest";
import { Problem } from "../../src/http/problem.ts";
import { AUTH, type Downlink, MAX_PAYLOAD_BYTES, startDownlink } from "./support.ts";

describe("/v1/topics/{topic}", () => {
  let test: Downlink;
  before(async () => {
    test = await startDownlink();
  });
  after(() => test.app.close());
  beforeEach(() => {
    test.published.length = 0;
    test.held.clear();
  });

  const call = (method: "get" | "head" | "post" | "put" | "delete", path: string) =>
    request(test.app.server)[method](`/v1/topics/${path}`).set(AUTH);

  it("publishes the body unchanged, with its content type", async () => {
    const body = Buffer.from([0, 255, 123, 10]);
    for (const [method, retain] of [
      ["post", false],
      ["put", true],
    ] as const) {
      await call(method, "a/b?qos=2&expirySeconds=60").set("content-type", "image/png").send(body).expect(200);
      const { id: _, ...message } = test.published.at(-1)!;
      assert.deepEqual(message, {
        topic: "a/b",
        payload: body,
        qos: 2,
        retain,
        contentType: "image/png",
        expirySeconds: 60,
      });
    }
    await call("post", "a/b?retain=true").set("content-type", "application/json").send("1.10").expect(200);
    assert.equal(test.published.at(-1)!.retain, true);
    assert.equal(test.published.at(-1)!.payload.toString(), "1.10");
  });

  it("clears the topic with an empty retained message", async () => {
    await call("delete", "a/b").expect(200);
    const { topic, payload, retain, qos } = test.published[0]!;
    assert.deepEqual([topic, payload.length, retain, qos], ["a/b", 0, true, 1]);
  });

  it("refuses an invalid topic name, names the parameter, and publishes nothing", async () => {
    for (const topic of ["", "a/%23", "a/%2B/b", "%00"]) {
      for (const method of ["get", "post", "put", "delete"] as const) {
        const { status, body } = await call(method, topic);
        assert.deepEqual(
          [status, body.code, body.errors[0].path],
          [400, "invalid_topic", "topic"],
          `${method} ${topic}`,
        );
      }
    }
    assert.equal(test.published.length, 0);
  });

  it("refuses a body over the limit", async () => {
    const { status, body } = await call("put", "a").send(Buffer.alloc(MAX_PAYLOAD_BYTES + 1).toString());
    assert.deepEqual([status, body.code], [413, "payload_too_large"]);
    assert.equal(test.published.length, 0);
  });

  describe("reading the retained message", () => {
    const payload = Buffer.from([0, 255, 13]);

    it("returns the payload, and the other properties as headers", async () => {
      const userProperties = { "a b": "1,2=3", tag: ["x", "ü\n"] };
      test.held.set("a/b", { payload, qos: 2, contentType: "image/png", userProperties });
      const { status, headers, body } = await call("get", "a/b");
      assert.equal(status, 200);
      assert.deepEqual(body, payload);
      assert.equal(headers["content-type"], "image/png");
      assert.deepEqual([headers["mqtt-qos"], headers["mqtt-retain"]], ["2", "true"]);
      assert.equal(headers["mqtt-user-property"], "a%20b=1%2C2%3D3, tag=x, tag=%C3%BC%0A");
      assert.match(headers.etag!, /^"[\w-]{22}"$/);
    });

    it("labels bytes without a usable content type as application/octet-stream", async () => {
      for (const contentType of [undefined, "", "bad\r\nx-evil: 1", "ü"]) {
        test.held.set("t", { payload, qos: 0, contentType });
        const { status, headers } = await call("get", "t");
        assert.deepEqual([status, headers["content-type"]], [200, "application/octet-stream"]);
        assert.equal(headers["x-evil"], undefined);
      }
    });

    it("responds with 304 to a client that already has it", async () => {
      test.held.set("t", { payload, qos: 0 });
      const { etag } = (await call("get", "t")).headers as { etag: string };
      for (const tags of [etag, `W/${etag}`, `"other", ${etag}`, "*"]) {
        for (const method of ["get", "head"] as const) {
          const { status, text, headers } = await call(method, "t").set("if-none-match", tags);
          assert.deepEqual([status, text || "", headers.etag], [304, "", etag], `${method} ${tags}`);
        }
      }
      for (const tags of ['"other"', etag.slice(1, -1), ""]) {
        assert.equal((await call("get", "t").set("if-none-match", tags)).status, 200, tags);
      }
    });

    it("changes the ETag whenever the message changes", async () => {
      const messages = [
        { payload, qos: 0 },
        { payload, qos: 1 },
        { payload: Buffer.from("ab"), qos: 0, contentType: "c" },
        { payload: Buffer.from("a"), qos: 0, contentType: "bc" },
        { payload: Buffer.from("a"), qos: 0, contentType: "bc", userProperties: { a: "1" } },
        { payload: Buffer.from("a"), qos: 0, contentType: "bc", userProperties: { a: "2" } },
      ] as const;
      const tags = new Set<string>();
      for (const message of messages) {
        test.held.set("t", message);
        tags.add((await call("get", "t")).headers.etag!);
      }
      assert.equal(tags.size, messages.length);
    });

    it("responds with 404 where nothing is retained, also to a conditional request", async () => {
      const { status, body } = await call("get", "a/b").set("if-none-match", "*");
      assert.deepEqual([status, body.code], [404, "no_retained_message"]);
      assert.equal(body.detail, "the topic a/b holds no retained message");
    });

    it("passes on that the broker is away or refuses", async () => {
      test.held.set("t", new Problem("broker_unavailable", "away", { headers: { "retry-after": "1" } }));
      const { status, headers, body } = await call("get", "t");
      assert.deepEqual([status, headers["retry-after"], body.code], [503, "1", "broker_unavailable"]);
      test.held.set("t", new Problem("broker_refused", "no"));
      assert.equal((await call("get", "t")).status, 502);
    });
  });
});
