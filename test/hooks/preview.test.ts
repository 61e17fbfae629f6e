/** Previews of hooks over HTTP: the message of a call, with the refusals of a registration. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { startTestKeys, type TestKeys } from "../keys/support.ts";

let test: TestKeys;

async function preview(hook: object, call?: object, key?: string) {
  const body = { hook: { name: "h", topic: "t", ...hook }, ...(call && { call }) };
  return test.api("POST", "/v1/hooks/preview", body, key);
}

describe("a preview of a hook", () => {
  before(async () => {
    test = await startTestKeys();
  });
  after(() => test.close());

  const cases: [reason: string, hook: object, call: object | undefined, message: object][] = [
    [
      "has no payload without a body",
      {},
      undefined,
      { topic: "t", payload: "", contentType: null, qos: 1, retain: false },
    ],
    [
      "evaluates topic and payload over the call",
      { topic: "gh/{body.repo}/{headers.`x-event`}", payload: "body.n & query.q & method", qos: 0, retain: true },
      { method: "PUT", query: { q: "7" }, headers: { "X-Event": "push" }, body: { repo: "r", n: 1 } },
      { topic: "gh/r/push", payload: "17PUT", contentType: null, qos: 0, retain: true },
    ],
    [
      "takes a text as it is",
      {},
      { body: "21.50" },
      { topic: "t", payload: "21.50", contentType: "text/plain", qos: 1, retain: false },
    ],
    [
      "reads a form by its content type",
      { topic: "f/{body.id}" },
      { headers: { "content-type": "application/x-www-form-urlencoded" }, body: "id=a" },
      { topic: "f/a", payload: "id=a", contentType: "application/x-www-form-urlencoded", qos: 1, retain: false },
    ],
  ];
  for (const [reason, hook, call, message] of cases) {
    it(reason, async () => {
      const { status, body } = await preview(hook, call);
      assert.deepEqual([status, body], [200, message]);
    });
  }

  it("keeps the digits of a JSON body", async () => {
    const body = '{"hook":{"name":"h","topic":"t"},"call":{"body": {"n":12345678901234567890, "x":21.50}}}';
    const { key } = await test.make({ scopes: ["publish"], publish: ["t"] });
    const headers = { "content-type": "application/json", authorization: `Bearer ${key}` };
    const response = await test.app.inject({ method: "POST", url: "/v1/hooks/preview", body, headers });
    assert.equal(response.json().payload, '{"n":12345678901234567890, "x":21.50}');
  });

  it("stores no hook", async () => {
    await preview({});
    assert.deepEqual((await test.api("GET", "/v1/hooks")).body.items, []);
  });

  it("names the field that is wrong, below hook", async () => {
    for (const [hook, code, path] of [
      [{ topic: "a/{" }, "invalid_topic", "hook.topic"],
      [{ payload: "(" }, "invalid_request", "hook.payload"],
      [{ verify: { type: "github" } }, "invalid_request", "hook.verify.secret"],
    ] as const) {
      const { status, body } = await preview(hook);
      assert.deepEqual([status, body.code, body.errors?.[0]?.path], [400, code, path]);
    }
    const { status, body } = await preview({}, { headers: { "content-type": "application/json" }, body: "{" });
    assert.deepEqual([status, body.detail], [400, "call.body: is not what its content-type says"]);
  });

  it("says why an expression failed, because the caller has written the call", async () => {
    const { status, body } = await preview({ payload: "$error(body.why)" }, { body: { why: "needle" } });
    assert.deepEqual([status, body.code], [422, "expression_failed"]);
    assert.match(body.detail, /needle/);
  });

  it("is limited in size", async () => {
    const { status, body } = await preview({ payload: "$string([1..600])" });
    assert.deepEqual([status, body.code], [413, "payload_too_large"]);
  });

  it("needs the rights of a registration", async () => {
    const { key } = await test.make({ scopes: ["publish"], publish: ["mine/+"] });
    const { key: viewer } = await test.make({ scopes: ["view"] });
    assert.equal((await preview({ topic: "mine/{query.id}" }, { query: { id: "a" } }, key)).status, 200);
    assert.equal((await preview({ topic: "other/{query.id}" }, { query: { id: "a" } }, key)).status, 403);
    assert.equal((await preview({}, {}, viewer)).status, 403);
  });
});
