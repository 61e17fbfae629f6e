/** Calls of hooks over HTTP: messages, refusals, limits and repeated deliveries. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "node:test";
import { startTestKeys, type TestKeys } from "../keys/support.ts";

let test: TestKeys;
beforeEach(async () => {
  test = await startTestKeys();
});
afterEach(() => test.close());

async function hook(input: object = {}, key?: string): Promise<string> {
  const { status, body } = await test.api("POST", "/v1/hooks", { name: "h", topic: "a/b", ...input }, key);
  assert.equal(status, 201, JSON.stringify(body));
  return body.path;
}

/** Calls without an API key. */
function call(path: string, { method = "POST", body = "x", headers = {} as Record<string, string> } = {}) {
  return test.app.inject({ method: method as "POST", url: path, headers, ...(method !== "GET" && { payload: body }) });
}

const last = () => test.hooked.stored.at(-1)!;

describe("a call of a hook", () => {
  it("stores the body byte for byte, with its content type", async () => {
    const path = await hook({ qos: 2, retain: true });
    const body = Buffer.from([0, 0xff, 10, 13]);
    const reply = await test.app.inject({
      method: "POST",
      url: path,
      headers: { "content-type": "a/b; c=d" },
      payload: body,
    });
    assert.equal(reply.statusCode, 202);
    const { id, ...message } = last();
    assert.deepEqual(reply.json(), { id, outcome: "queued" });
    assert.deepEqual(message, { topic: "a/b", payload: body, qos: 2, retain: true, contentType: "a/b; c=d" });
    assert.deepEqual(test.hooked.outcomes, ["accepted"]);
  });

  it("does not change JSON", async () => {
    const text = '{ "n": 12345678901234567890, "f": 1.10 }';
    await call(await hook(), { body: text, headers: { "content-type": "application/json" } });
    assert.equal(last().payload.toString(), text);
  });

  it("publishes at once without durable, and has the outcome", async () => {
    const reply = await call(await hook({ durable: false }));
    assert.equal(reply.statusCode, 200);
    const { id } = last();
    const expected = { topic: "a/b", qos: 1, retain: false, outcome: "acknowledged", noMatchingSubscribers: false };
    assert.deepEqual(reply.json(), { id, ...expected });
  });

  it("makes topic and payload from the call", async () => {
    const topic = "gh/{body.repository.name}/{headers.`x-github-event`}";
    const path = await hook({ topic, payload: "{ 'by': body.sender, 'n': [body.n] }" });
    const body = JSON.stringify({ repository: { name: "r" }, sender: "ann", n: 1 });
    const headers = { "content-type": "application/json", "x-github-event": "push" };
    assert.equal((await call(path, { body, headers })).statusCode, 202);
    const { topic: made, payload, contentType } = last();
    assert.deepEqual(
      [made, payload.toString(), contentType],
      ["gh/r/push", '{"by":"ann","n":[1]}', "application/json"],
    );
  });

  it("may be a link", async () => {
    const path = await hook({ topic: "lamps/{query.id}/set", payload: "params.state", methods: ["GET"] });
    assert.equal((await call(`${path}?id=7&state=on`, { method: "GET" })).statusCode, 202);
    const { topic, payload, contentType } = last();
    assert.deepEqual([topic, payload.toString(), contentType], ["lamps/7/set", "on", undefined]);
  });

  it("needs a known token, whose absence looks like that of any path", async () => {
    await hook();
    for (const path of ["/in/x", `/in/${"x".repeat(43)}`, "/in/", "/in", "/in/%00", "/nothing"]) {
      const reply = await call(path);
      const { detail, code } = reply.json();
      assert.deepEqual([reply.statusCode, code, detail], [404, "not_found", "there is nothing at this path"], path);
    }
    assert.deepEqual(test.hooked.outcomes, []);
  });

  it("needs one of the hook's methods; HEAD publishes nothing", async () => {
    const path = await hook({ methods: ["GET", "DELETE"] });
    for (const method of ["POST", "PUT", "PATCH", "HEAD"]) {
      const reply = await call(path, { method });
      assert.deepEqual([method, reply.statusCode, reply.headers.allow], [method, 405, "GET, DELETE"]);
    }
    assert.equal((await call(path, { method: "OPTIONS" })).statusCode, 405);
    assert.equal(test.hooked.stored.length, 0);
    for (const method of ["GET", "DELETE"]) assert.equal((await call(path, { method })).statusCode, 202);
  });

  it("is limited in size", async () => {
    const reply = await call(await hook(), { body: "x".repeat(1_001) });
    assert.deepEqual([reply.statusCode, reply.json().code], [413, "payload_too_large"]);
    const larger = await call(await hook({ payload: "$string([1..600])" }));
    assert.deepEqual([larger.statusCode, larger.json().code], [413, "payload_too_large"]);
  });

  it("is refused when its expressions fail, without quoting the call", async () => {
    const cases: [input: object, detail: RegExp][] = [
      [{ topic: "a/{body.id}" }, /^topic: expression 1 must give/],
      [{ topic: "a/{query.id}" }, /^topic: the value of expression 1 must not contain/],
      [{ payload: "nothing" }, /^payload: the expression must give a value/],
      [{ payload: "$number(body.needle)" }, /^the expressions of this hook cannot be evaluated/],
      [{ payload: "$error(body.needle)" }, /^the expressions of this hook cannot be evaluated/],
    ];
    for (const [input, detail] of cases) {
      const path = await hook({ ...input, verify: { type: "basic", username: "u", password: "needle" } });
      const headers = { "content-type": "application/json", authorization: `Basic ${btoa("u:needle")}` };
      const reply = await call(`${path}?id=needle/x`, { body: '{"needle":"needle"}', headers });
      assert.deepEqual([reply.statusCode, reply.json().code], [422, "expression_failed"]);
      assert.match(reply.json().detail, detail);
      assert.doesNotMatch(reply.body, /needle/);
    }
    assert.deepEqual(new Set(test.hooked.outcomes), new Set(["expression_failed"]));
    assert.equal(test.hooked.stored.length, 0);
  });

  it("is refused when its body is not what its type says", async () => {
    const reply = await call(await hook(), { body: "{", headers: { "content-type": "application/json" } });
    assert.deepEqual([reply.statusCode, reply.json().code], [400, "invalid_request"]);
  });

  it("is refused once the key of the hook is gone", async () => {
    const { key, id } = await test.make({ scopes: ["publish"], publish: ["a/b"] });
    const path = await hook({}, key);
    assert.equal((await call(path)).statusCode, 202);
    await test.api("DELETE", `/v1/keys/${id}`);
    const reply = await call(path);
    assert.deepEqual([reply.statusCode, reply.json().code], [403, "forbidden_topic"]);
    assert.deepEqual(test.hooked.outcomes, ["accepted", "stopped"]);
  });

  it("is refused once the key of the hook has expired", async () => {
    const { key } = await test.make({ scopes: ["publish"], expiresAt: "2026-03-01T13:00:00Z" });
    const path = await hook({}, key);
    test.clock.ms += 3_600_000;
    assert.equal((await call(path)).statusCode, 403);
  });
});

describe("the verification of a call", () => {
  const GITHUB = { verify: { type: "github", secret: "s" } };
  const signed = (body: string) => ({
    "x-hub-signature-256": `sha256=${createHmac("sha256", "s").update(body).digest("hex")}`,
  });

  it("admits signed calls only, and says nothing about the reason", async () => {
    const path = await hook(GITHUB);
    const none = await call(path);
    const wrong = await call(path, { headers: signed("y") });
    for (const reply of [none, wrong]) {
      assert.deepEqual([reply.statusCode, reply.headers["www-authenticate"]], [401, 'Signature realm="hook"']);
    }
    assert.equal(none.body, wrong.body);
    assert.equal((await call(path, { headers: signed("x") })).statusCode, 202);
    assert.deepEqual(test.hooked.outcomes, ["unverified", "unverified", "accepted"]);
  });

  it("asks browsers for user name and password", async () => {
    const path = await hook({ verify: { type: "basic", username: "u", password: "p" } });
    assert.equal((await call(path)).headers["www-authenticate"], 'Basic realm="hook"');
  });

  it("allows ten failures a minute for each hook and address, and then not even the right signature", async () => {
    const [path, other] = [await hook(GITHUB), await hook(GITHUB)];
    for (let i = 0; i < 10; i++) assert.equal((await call(path)).statusCode, 401);
    for (const headers of [{}, signed("x")]) {
      const reply = await call(path, { headers });
      assert.deepEqual([reply.statusCode, reply.json().code, reply.headers["retry-after"]], [429, "rate_limited", "6"]);
    }
    assert.equal((await call(other, { headers: signed("x") })).statusCode, 202);
    test.clock.ms += 60_000;
    assert.equal((await call(path, { headers: signed("x") })).statusCode, 202);
  });

  it("comes before the rate limit, which counts verified calls only", async () => {
    const path = await hook({ ...GITHUB, rateLimit: { max: 1, perSeconds: 60 } });
    assert.equal((await call(path)).statusCode, 401);
    assert.equal((await call(path, { headers: signed("x") })).statusCode, 202);
    const reply = await call(path, { headers: signed("x") });
    assert.deepEqual([reply.statusCode, reply.headers["retry-after"]], [429, "60"]);
    assert.deepEqual(test.hooked.outcomes, ["unverified", "accepted", "rate_limited"]);
  });
});

describe("a repeated delivery", () => {
  const delivery = (id: string) => ({ headers: { "webhook-id": id } });

  it("gets the first response again and publishes nothing, for each hook", async () => {
    for (const durable of [true, false]) {
      const [path, other] = [await hook({ durable }), await hook({ durable })];
      const first = await call(path, delivery("d1"));
      const again = await call(path, { ...delivery("d1"), body: "another" });
      assert.deepEqual([again.statusCode, again.body], [first.statusCode, first.body]);
      assert.equal(again.headers["idempotent-replayed"], "true");
      assert.equal(first.headers["idempotent-replayed"], undefined);
      const ids = [
        await call(path, delivery("d2")),
        await call(other, delivery("d1")),
        await call(path),
        await call(path),
      ];
      assert.equal(new Set([first, ...ids].map((reply) => reply.json().id)).size, 5);
    }
    assert.equal(test.hooked.stored.length, 10);
    assert.equal(test.hooked.outcomes.filter((outcome) => outcome === "repeated").length, 2);
  });

  it("is published after a failure or a refusal of the first", async () => {
    const path = await hook({ topic: "a/{query.id}" });
    test.hooked.failure = new Error("the store is away");
    assert.equal((await call(`${path}?id=1`, delivery("d1"))).statusCode, 500);
    assert.equal((await call(path, delivery("d1"))).statusCode, 422);
    assert.equal((await call(`${path}?id=1`, delivery("d1"))).statusCode, 202);
    assert.deepEqual(test.hooked.outcomes, ["failed", "expression_failed", "accepted"]);
    assert.equal(test.hooked.stored.length, 1);
  });

  it("waits while the first is in progress, and is published if its process dies", async () => {
    const path = await hook();
    const { entries } = test.expiringKeys;
    await call(path, delivery("d1"));
    const [key] = [...entries].find(([name]) => name.startsWith("hook-"))!;
    entries.set(key, { value: "running", ttlSeconds: 60 });
    const reply = await call(path, delivery("d1"));
    assert.deepEqual(
      [reply.statusCode, reply.json().code, reply.headers["retry-after"]],
      [409, "idempotency_in_progress", "1"],
    );
    test.expiringKeys.expire();
    assert.equal((await call(path, delivery("d1"))).statusCode, 202);
    assert.equal(entries.get(key)!.ttlSeconds, 24 * 3600);
  });

  it("leaves no token in the log", async () => {
    const path = await hook();
    test.hooked.failure = new Error("x");
    assert.equal((await call(path)).statusCode, 500);
    assert.match(test.logged.join(""), /request_failed/);
    assert.ok(!test.logged.join("").includes(path.slice("/in/".length)));
  });
});

describe("a hook that Meta calls", () => {
  const verify = { type: "meta", secret: "app secret", verifyToken: "token" };
  const asked = (token: string) => `?hub.mode=subscribe&hub.challenge=1158201444&hub.verify_token=${token}`;

  it("answers the verification request, and publishes nothing", async () => {
    const path = await hook({ verify });
    const reply = await call(path + asked("token"), { method: "GET" });
    assert.deepEqual([reply.statusCode, reply.body], [200, "1158201444"]);
    assert.equal(reply.headers["content-type"], "text/plain; charset=utf-8");
    assert.equal(reply.headers["x-content-type-options"], "nosniff");
    assert.deepEqual([test.hooked.stored, test.hooked.outcomes], [[], []]);
  });

  it("refuses another token with 403, and many of them with 429", async () => {
    const path = await hook({ verify });
    for (let i = 0; i < 10; i++) {
      const reply = await call(path + asked("wrong"), { method: "GET" });
      assert.deepEqual([reply.statusCode, reply.json().code], [403, "verify_token_mismatch"]);
    }
    assert.equal((await call(path + asked("token"), { method: "GET" })).statusCode, 429);
    assert.deepEqual(test.hooked.stored, []);
  });

  it("takes signed events with 200 and a text, and refuses others", async () => {
    const path = await hook({ verify });
    const body = '{"object":"page","entry":[]}';
    const signature = `sha256=${createHmac("sha256", "app secret").update(body).digest("hex")}`;
    const headers = { "content-type": "application/json", "x-hub-signature-256": signature };
    const reply = await call(path, { body, headers });
    assert.deepEqual([reply.statusCode, reply.body], [200, "EVENT_RECEIVED"]);
    assert.equal(last().payload.toString(), body);
    assert.equal((await call(path, { body: `${body} `, headers })).statusCode, 401);
    assert.equal(test.hooked.stored.length, 1);
  });

  it("is shown without its secrets, and needs both", async () => {
    await hook({ verify });
    const { body } = await test.api("GET", "/v1/hooks");
    assert.deepEqual(body.items.at(-1).verify, { type: "meta" });
    const refused = await test.api("POST", "/v1/hooks", {
      name: "h",
      topic: "a/b",
      verify: { type: "meta", secret: "s" },
    });
    assert.deepEqual(refused.body.errors, [{ path: "verify.verifyToken", message: "is required" }]);
  });
});
