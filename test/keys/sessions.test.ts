/** Sessions of browsers over the real app: the cookie, its rights, its end and its protection against forgery. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request as open } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, beforeEach, describe, it } from "node:test";
import request from "supertest";
import { SCOPES } from "../../src/keys/caller.ts";
import { ROOT_KEY, startTestKeys, type TestKeys } from "./support.ts";

const HOURS = 3_600_000;
const CSRF = { "x-causeway-request": "1" };

let test: TestKeys;

/** Starts an app for each test of a suite. */
function startForEach(): void {
  beforeEach(async () => {
    test = await startTestKeys();
  });
  afterEach(() => test.close());
}

const post = (body: object) => request(test.app.server).post("/v1/session").send(body);

/** Signs in and returns the value for the header `cookie`. */
async function signIn(key = ROOT_KEY): Promise<string> {
  const response = await post({ key });
  assert.equal(response.status, 204, response.text);
  return response.headers["set-cookie"]![0]!.split(";")[0]!;
}

const call = (method: string, path: string, cookie: string, headers: Record<string, string> = {}) =>
  request(test.app.server)
    [method.toLowerCase() as "get"](path)
    .set({ cookie, ...headers });

describe("signing in", () => {
  startForEach();

  it("sets a random cookie that scripts cannot read and other sites cannot send", async () => {
    const [one, two] = [await post({ key: ROOT_KEY }), await post({ key: ROOT_KEY })];
    assert.equal(one.text, "");
    const pattern = /^causeway_session=([\w-]{43}); Path=\/; Max-Age=43200; HttpOnly; SameSite=Strict$/;
    const [first, second] = [one, two].map(({ headers }) => pattern.exec(headers["set-cookie"]![0]!)![1]);
    assert.notEqual(first, second);
  });

  it("keeps only digests in the store, and neither key nor token in the log", async () => {
    const { key } = await test.make({});
    const token = (await signIn(key)).split("=")[1]!;
    await signIn();
    const kept = JSON.stringify([...test.expiringKeys.entries]);
    assert.match(kept, /session-/);
    for (const secret of [token, key, ROOT_KEY]) {
      assert.ok(!kept.includes(secret));
      assert.ok(!test.logged.join().includes(secret));
    }
  });

  it("refuses a wrong key, and a body without one", async () => {
    const wrong = await post({ key: "cw_wrong" });
    assert.deepEqual([wrong.status, wrong.body.code, wrong.headers["set-cookie"]], [401, "unauthorized", undefined]);
    assert.deepEqual([(await post({})).status, (await post({ key: "" })).status], [400, 400]);
  });

  it("after ten wrong keys is refused for a while, also with the right key", async () => {
    for (let i = 0; i < 10; i++) assert.equal((await post({ key: `wrong ${i}` })).status, 401);
    const refused = await post({ key: ROOT_KEY });
    assert.deepEqual([refused.status, refused.body.code, refused.headers["retry-after"]], [429, "rate_limited", "6"]);
    assert.equal((await test.api("GET", "/v1/session")).status, 200, "bearer calls are not affected");
    test.clock.ms += 6_000;
    assert.equal((await post({ key: ROOT_KEY })).status, 204);
    assert.equal((await post({ key: ROOT_KEY })).status, 204, "right keys are not counted");
  });

  it("counts against the rate limit of the key", async () => {
    const { key } = await test.make({ rateLimit: { max: 1, perSeconds: 60 } });
    assert.deepEqual([(await post({ key })).status, (await post({ key })).status], [204, 429]);
  });

  it("does not accept an Idempotency-Key: each sign-in is a session of its own", async () => {
    const again = () => post({ key: ROOT_KEY }).set("idempotency-key", "k");
    const [one, two] = [await again(), await again()];
    assert.notEqual(one.headers["set-cookie"]![0], two.headers["set-cookie"]![0]);
  });
});

describe("the caller", () => {
  startForEach();

  it("is described with its rights, by session and by bearer key", async () => {
    const expiresAt = new Date(test.clock.ms + 24 * HOURS).toISOString();
    const rights = { scopes: ["publish", "read"] as const, publish: ["a/#"], read: ["b"] };
    const { key } = await test.make({ name: "mine", ...rights, scopes: [...rights.scopes], expiresAt });
    const session = await call("GET", "/v1/session", await signIn(key));
    assert.equal(session.headers["cache-control"], "no-store");
    const end = new Date(test.clock.ms + 12 * HOURS).toISOString();
    assert.deepEqual(session.body, { name: "mine", ...rights, expiresAt: end });
    const bearer = await test.api("GET", "/v1/session", undefined, key);
    assert.deepEqual(bearer.body, { name: "mine", ...rights, expiresAt });
  });

  it("is root with the first key", async () => {
    const root = { name: "root", scopes: [...SCOPES], publish: ["#"], read: ["#"] };
    assert.deepEqual((await test.api("GET", "/v1/session")).body, { ...root, expiresAt: null });
    assert.equal((await call("GET", "/v1/session", await signIn())).body.name, "root");
  });
});

describe("a session", () => {
  startForEach();

  it("has exactly the rights of its key", async () => {
    const { key } = await test.make({ scopes: ["publish"], publish: ["a"] });
    const cookie = await signIn(key);
    const publish = (topic: string) => call("POST", "/v1/messages", cookie, CSRF).send({ topic });
    assert.equal((await publish("a")).status, 200);
    assert.deepEqual([(await publish("b")).status, (await publish("b")).body.code], [403, "forbidden_topic"]);
    assert.equal((await call("GET", "/v1/status", cookie)).body.code, "insufficient_scope");
    assert.equal((await call("GET", "/v1/nothing", cookie)).status, 404);
    assert.equal((await call("GET", "/v1/topics/%zz", cookie)).body.code, "invalid_topic");
  });

  it("needs the header x-causeway-request: 1 for everything but GET and HEAD", async () => {
    const cookie = await signIn();
    for (const [method, path] of [
      ["POST", "/v1/messages"],
      ["PUT", "/v1/topics/a"],
      ["DELETE", "/v1/session"],
      ["PATCH", "/v1/webhooks/wh_1"],
    ] as const) {
      for (const headers of [{}, { "x-causeway-request": "0" }] as Record<string, string>[]) {
        const { status, body } = await call(method, path, cookie, headers);
        assert.deepEqual([status, body.code], [403, "csrf_header_required"], method);
      }
    }
    assert.equal(test.published.length, 0);
    assert.equal((await call("GET", "/v1/keys", cookie)).status, 200);
    assert.equal((await call("HEAD", "/v1/keys", cookie)).status, 200);
    assert.equal((await call("POST", "/v1/messages", cookie, CSRF).send({ topic: "a" })).status, 200);
  });

  it("gives way to a bearer key, which needs no header; but not to the credentials of a proxy", async () => {
    const { key } = await test.make({ scopes: ["read"] });
    const cookie = await signIn();
    const bearer = { authorization: `Bearer ${key}` };
    assert.equal((await call("GET", "/v1/keys", cookie, bearer)).status, 403);
    assert.equal((await call("DELETE", "/v1/topics/a", cookie, bearer)).body.code, "insufficient_scope");
    assert.equal((await call("GET", "/v1/keys", cookie, { authorization: "Bearer wrong" })).status, 401);
    assert.equal((await call("GET", "/v1/keys", cookie, { authorization: "Basic eDp5" })).status, 200);
  });

  it("ends when signed out, once and for all", async () => {
    const [cookie, other] = [await signIn(), await signIn()];
    const out = await call("DELETE", "/v1/session", cookie, CSRF);
    assert.equal(out.status, 204);
    assert.equal(out.headers["set-cookie"]![0], "causeway_session=; Path=/; Max-Age=0; HttpOnly; SameSite=Strict");
    const after = await call("GET", "/v1/keys", cookie);
    assert.deepEqual([after.status, after.body.code], [401, "unauthorized"]);
    assert.equal((await call("GET", "/v1/keys", other)).status, 200, "another session is not affected");
  });

  it("ends with its key, at once, also while it was in use", async () => {
    const { id, key } = await test.make({});
    const cookie = await signIn(key);
    assert.equal((await call("GET", "/v1/keys", cookie)).status, 200);
    assert.equal((await test.api("DELETE", `/v1/keys/${id}`)).status, 204);
    assert.equal((await call("GET", "/v1/keys", cookie)).status, 401);
  });

  it("ends after 12 hours, or when its key expires before", async () => {
    const { key } = await test.make({ expiresAt: new Date(test.clock.ms + HOURS).toISOString() });
    const [long, short] = [await signIn(), await signIn(key)];
    test.clock.ms += HOURS;
    assert.equal((await call("GET", "/v1/keys", short)).status, 401);
    test.clock.ms += 11 * HOURS - 1;
    assert.equal((await call("GET", "/v1/keys", long)).status, 200);
    test.clock.ms += 1;
    assert.equal((await call("GET", "/v1/keys", long)).status, 401);
  });

  it("is read from the store at most once in five seconds, and a bearer call reads nothing", async () => {
    const cookie = await signIn();
    const get = async () => assert.equal((await call("GET", "/v1/keys", cookie)).status, 200);
    for (let i = 0; i < 3; i++) await get();
    assert.equal(test.expiringKeys.reads, 1);
    test.clock.ms += 4_999;
    await get();
    assert.equal(test.expiringKeys.reads, 1);
    test.clock.ms += 1;
    await get();
    await call("GET", "/v1/keys", cookie, { authorization: `Bearer ${ROOT_KEY}` });
    assert.equal(test.expiringKeys.reads, 2);
  });

  it("is not looked up for cookies that cannot be tokens", async () => {
    for (const cookie of [
      "causeway_session=",
      "causeway_session=x",
      `other=1; causeway_session="${"a".repeat(43)}"`,
      "x",
    ]) {
      assert.equal((await call("GET", "/v1/keys", cookie)).status, 401);
    }
    assert.equal(test.expiringKeys.reads, 0);
    assert.equal((await call("GET", "/v1/keys", `causeway_session=${"a".repeat(43)}`)).status, 401);
    assert.equal((await call("GET", "/v1/keys", `a=b; ${await signIn()};c=d`)).status, 200);
  });

  it("has idempotency keys of its own", async () => {
    const [one, two] = [await signIn(), await signIn()];
    const send = (cookie: string, topic: string) =>
      call("POST", "/v1/messages", cookie, { ...CSRF, "idempotency-key": "k", authorization: "Basic eDp5" }).send({
        topic,
      });
    assert.equal((await send(one, "a")).status, 200);
    assert.equal((await send(one, "a")).headers["idempotent-replayed"], "true");
    assert.equal((await send(two, "b")).status, 200);
    assert.equal(test.published.length, 2);
  });

  it("ends its stream when signed out: no further message is sent", { timeout: 10_000 }, async () => {
    const cookie = await signIn();
    const { port } = test.app.server.address() as AddressInfo;
    const sent = open({ port, path: "/v1/stream?topic=a", headers: { cookie } }).end();
    const [response] = await once(sent, "response");
    assert.equal(response.statusCode, 200);
    let text = "";
    response.setEncoding("utf8").on("data", (chunk: string) => {
      text += chunk;
    });
    test.tell("a", "before");
    while (!text.includes("before")) await once(response, "data");
    const ended = once(response, "end");
    assert.equal((await call("DELETE", "/v1/session", cookie, CSRF)).status, 204);
    test.tell("a", "after");
    await ended;
    assert.doesNotMatch(text, /after/);
  });
});
