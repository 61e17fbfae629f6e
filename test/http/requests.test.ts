import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import request from "supertest";
import { catalogue } from "../../src/errors.ts";
import { Problem } from "../../src/http/problem.ts";
import { AUTH, MAX_PAYLOAD_BYTES, type TestApp, testApp } from "./support.ts";

const HOOK = { url: "https://example.com", topics: ["a"] };

describe("the app", () => {
  let test: TestApp;
  const logged: unknown[] = [];
  before(async () => {
    const logger = { error: (fields: unknown) => logged.push(fields) };
    const silent = { level: "error", info() {}, warn() {}, debug() {}, trace() {}, fatal() {}, silent() {} };
    const log = { ...silent, ...logger, child: () => log };
    test = await testApp(
      {
        getWebhook: (req) => {
          if (req.params.id === "boom") throw new Error("password=hunter2");
          throw new Problem("store_unavailable", "the store is away", { headers: { "retry-after": "1" } });
        },
      },
      { logger: log },
    );
  });
  after(() => test.app.close());

  const send = (method: "post" | "patch" | "put" | "get" | "delete", url: string, body?: object | string) => {
    const sent = request(test.app.server)[method](url).set(AUTH);
    return body === undefined ? sent : sent.type("application/json").send(body);
  };

  async function refused(sent: request.Test, code: keyof typeof catalogue, path?: string): Promise<request.Response> {
    const response = await sent;
    const [status, title] = catalogue[code];
    const { body } = response;
    assert.equal(response.status, status, JSON.stringify(body));
    assert.match(response.headers["content-type"]!, /^application\/problem\+json/);
    assert.deepEqual(
      [body.type, body.title, body.status, body.code],
      [`urn:causeway:problem:${code}`, title, status, code],
    );
    if (path !== undefined)
      assert.deepEqual(
        body.errors.map((error: { path: string }) => error.path),
        [path],
      );
    return response;
  }

  it("fills in the defaults and passes the text to the handler as it was written", async () => {
    const text = '{"topic": "a",\n "payload": 1.10}';
    assert.equal((await send("post", "/v1/messages", text)).status, 200);
    const { body, rawJson } = test.seen.at(-1)!;
    assert.deepEqual(body, { topic: "a", payload: 1.1, payloadFormat: "auto", qos: 1, retain: false });
    assert.equal(rawJson, text);
  });

  it("requires a body where it is missing, with and without a content type", async () => {
    for (const url of ["/v1/messages", "/v1/messages/batch", "/v1/webhooks"]) {
      await refused(send("post", url), "invalid_request", "");
      await refused(send("post", url).type("application/json"), "invalid_request", "");
    }
  });

  it("omits missing fields from a change", async () => {
    await send("patch", "/v1/webhooks/wh_1", { name: "x" });
    assert.deepEqual(test.seen.at(-1)!.body, { name: "x" });
  });

  it("responds with the contract's status", async () => {
    const created = await send("post", "/v1/webhooks", HOOK);
    assert.equal(created.status, 201);
    assert.equal(created.headers.location, "/v1/webhooks/wh_1");
    assert.match(created.body.secret, /^whsec_/);
    const removed = await send("delete", "/v1/webhooks/wh_1");
    assert.equal(removed.status, 204);
    assert.equal(removed.text, "");
    assert.equal((await send("get", "/readyz")).status, 503);
    const status = await send("get", "/v1/status");
    assert.deepEqual(status.body, { version: "0.1.0", broker: { connected: true }, more: [1] });
    assert.equal((await send("get", "/metrics")).text, "up 1\n");
  });

  it("returns a secret only at creation", async () => {
    const other = await testApp();
    const { body } = await request(other.app.server).get("/v1/webhooks/wh_1").set(AUTH);
    assert.equal(body.id, "wh_1");
    assert.equal("secret" in body, false);
    await other.app.close();
  });

  const bad: [string, object | string, string][] = [
    ["/v1/messages", {}, "topic"],
    ["/v1/messages", { topic: 7 }, "topic"],
    ["/v1/messages", { topic: "a", qos: "1" }, "qos"],
    ["/v1/messages", { topic: "a", qos: 3 }, "qos"],
    ["/v1/messages", { topic: "a", retain: 1 }, "retain"],
    ["/v1/messages", { topic: "a", sendAt: 5 }, "sendAt"],
    ["/v1/messages", { topic: "a", payload: 1, payloadBase64: "AA==" }, "payload"],
    ["/v1/messages", { topic: "a", payload: null, payloadBase64: "AA==" }, "payload"],
    ["/v1/messages", { topic: "a", payloadBase64: "AA=" }, "payloadBase64"],
    ["/v1/messages", { topic: "a", correlationData: "ä" }, "correlationData"],
    ["/v1/messages", { topic: "a", expirySeconds: 4_294_967_296 }, "expirySeconds"],
    ["/v1/messages", { topic: "a", userProperties: { a: { b: 1 } } }, "userProperties.a"],
    ["/v1/messages", { topic: "a", userProperties: { "a b": ["x", 1] } }, 'userProperties["a b"][1]'],
    ["/v1/messages?x=1", { topic: "a" }, "query.x"],
    ["/v1/messages", "[]", ""],
    ["/v1/messages", "", ""],
    ["/v1/webhooks", { ...HOOK, topics: "a" }, "topics"],
    ["/v1/webhooks", { ...HOOK, topics: ["a", 1] }, "topics[1]"],
    ["/v1/webhooks", { ...HOOK, filters: "x" }, "filters"],
    ["/v1/webhooks", { ...HOOK, name: "x".repeat(201) }, "name"],
    ["/v1/webhooks", { ...HOOK, secret: "whsec_short" }, "secret"],
    ["/v1/webhooks", { ...HOOK, concurrency: 0 }, "concurrency"],
    ["/v1/webhooks", { ...HOOK, timeoutMs: 99 }, "timeoutMs"],
    ["/v1/webhooks", { ...HOOK, retry: { scheduleSeconds: [5, -1] } }, "retry.scheduleSeconds[1]"],
    ["/v1/webhooks", { ...HOOK, retry: { scheduleSeconds: [], more: 1 } }, "retry.more"],
    ["/v1/webhooks", { ...HOOK, headers: { "X-A": 1 } }, "headers.X-A"],
  ];
  for (const [url, body, path] of bad) {
    it(`names ${path || "the body"} in ${JSON.stringify(body).slice(0, 70)}`, async () => {
      const count = test.seen.length;
      await refused(send("post", url, body), "invalid_request", path);
      assert.equal(test.seen.length, count);
    });
  }

  it("accepts secrets of 24 to 64 bytes", async () => {
    for (const [bytes, status] of [
      [23, 400],
      [24, 201],
      [32, 201],
      [64, 201],
      [65, 400],
    ] as const) {
      const secret = `whsec_${Buffer.alloc(bytes, 7).toString("base64")}`;
      assert.equal((await send("post", "/v1/webhooks", { ...HOOK, secret })).status, status, String(bytes));
    }
  });

  it("checks limit, cursor and status of lists", async () => {
    await send("get", "/v1/webhooks/wh_1/deliveries?status=failed&limit=250&after=x");
    assert.deepEqual({ ...(test.seen.at(-1)!.query as object) }, { status: "failed", limit: 250, after: "x" });
    await send("get", "/v1/webhooks");
    assert.deepEqual({ ...(test.seen.at(-1)!.query as object) }, { limit: 50 });
    await refused(send("get", "/v1/webhooks?limit=251"), "invalid_request", "query.limit");
    await refused(send("get", "/v1/webhooks?limit=1.5"), "invalid_request", "query.limit");
    await refused(send("get", "/v1/webhooks/w/deliveries?status=lost"), "invalid_request", "query.status");
  });

  it("refuses text that is not JSON, without quoting it", async () => {
    const { body } = await refused(send("post", "/v1/messages", '{"topic": "a", "secret-thing'), "invalid_request");
    assert.doesNotMatch(JSON.stringify(body), /secret-thing/);
    const bytes = Buffer.from([0x22, 0xff, 0x22]);
    const sent = request(test.app.server).post("/v1/messages").set(AUTH).type("application/json").send(bytes);
    await refused(sent, "invalid_request");
  });

  it("is not harmed by __proto__", async () => {
    await refused(send("post", "/v1/messages", '{"topic":"a","__proto__":{"qos":2}}'), "invalid_request");
    const sent = await send("post", "/v1/messages", '{"topic":"a","payload":{"__proto__":{"qos":2}}}');
    assert.equal(sent.status, 200);
    assert.equal(({} as { qos?: number }).qos, undefined);
  });

  it("accepts JSON only", async () => {
    const of = (type: string) => {
      return refused(
        request(test.app.server).post("/v1/messages").set(AUTH).type(type).send('{"topic":"a"}'),
        "unsupported_media_type",
      );
    };
    for (const type of ["text/plain", "application/x-www-form-urlencoded", "application/cloudevents+json", "odd"])
      await of(type);
    const charset = request(test.app.server)
      .post("/v1/messages")
      .set(AUTH)
      .set("content-type", "application/json; charset=utf-8");
    assert.equal((await charset.send('{"topic":"a"}')).status, 200);
  });

  it("limits the size of JSON bodies", async () => {
    const limit = MAX_PAYLOAD_BYTES * 2 + 65_536;
    const text = (bytes: number) => JSON.stringify({ topic: "a", payload: "x".repeat(bytes - 26) });
    assert.equal(text(limit).length, limit);
    assert.equal((await send("post", "/v1/messages", text(limit))).status, 200);
    await refused(send("post", "/v1/messages", text(limit + 1)), "payload_too_large");
  });

  it("responds with 404 to unknown paths", async () => {
    await refused(send("get", "/v1/nope"), "not_found");
    await refused(send("post", "/v1/nope", "{not json"), "not_found");
    await refused(request(test.app.server).get("/nope"), "not_found");
    await refused(request(test.app.server).get("/docs/assets/index.html"), "not_found");
  });

  it("lists the allowed methods in a 405", async () => {
    const put = await refused(send("put", "/v1/webhooks", "{not json"), "method_not_allowed");
    assert.equal(put.headers.allow, "GET, HEAD, POST");
    const patch = await refused(send("patch", "/v1/topics/a/b"), "method_not_allowed");
    assert.deepEqual(patch.headers.allow!.split(", ").sort(), ["DELETE", "GET", "HEAD", "POST", "PUT"]);
    await refused(send("get", "/v1/messages"), "method_not_allowed");
    await refused(request(test.app.server).post("/healthz"), "unauthorized");
  });

  it("passes on a handler's problem, and hides a defect behind internal_error", async () => {
    const away = await refused(send("get", "/v1/webhooks/wh_1"), "store_unavailable");
    assert.equal(away.headers["retry-after"], "1");
    assert.equal(logged.length, 0);
    const { text } = await refused(send("get", "/v1/webhooks/boom"), "internal_error");
    assert.doesNotMatch(text, /hunter2/);
    assert.match(String((logged[0] as { err: Error }).err), /hunter2/);
  });

  it("accepts an empty JSON body where a body is optional, and refuses it where a body is required", async () => {
    assert.equal((await send("post", "/v1/webhooks/wh_1/rotate-secret")).status, 200);
    assert.equal((await send("post", "/v1/webhooks/wh_1/rotate-secret", "")).status, 200);
    await refused(send("post", "/v1/webhooks", ""), "invalid_request");
  });

  it("responds with 503 while it is closing", async () => {
    let closing = false;
    const { app } = await testApp({}, { isClosing: () => closing });
    assert.equal((await request(app.server).get("/healthz")).status, 200);
    closing = true;
    for (const url of ["/healthz", "/v1/status", "/nope", "/v1/topics/%zz"]) {
      const response = await refused(request(app.server).get(url), "shutting_down");
      assert.equal(response.headers.connection, "close");
    }
    await app.close();
  });
});
