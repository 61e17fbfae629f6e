/** The ownership check with the real process and a real receiver. */
import assert from "node:assert/strict";
import { before, describe, it } from "node:test";
import { type ReceivedCall, type Receiver, startReceiver } from "../support/receiver.ts";
import { embedded, scenario } from "../support/scenario.ts";

const PUBLIC_URL = "https://causeway.example.com/base";
const ORIGIN = "causeway.example.com";
const AGREES = { status: 200, headers: { "webhook-allowed-origin": ORIGIN, "webhook-allowed-rate": "*" } };

describe("the ownership check", () => {
  const world = scenario(embedded, { env: { PUBLIC_URL } });
  /** Response to OPTIONS per path; the default is 405. */
  const answers = new Map<string, ReturnType<Receiver["answer"]>>();
  before(() => {
    world.receiver.answer = ({ method, path }) => (method === "OPTIONS" ? (answers.get(path) ?? 405) : 204);
  });

  const register = async (path: string, more: object = {}) => {
    const body = { url: world.receiver.url + path, topics: [path.slice(1)], verify: true, ...more };
    const answer = await world.bridge.api("POST", "/v1/webhooks", body);
    assert.equal(answer.status, 201, answer.bytes.toString());
    await world.bridge.readiness(200);
    return answer.body;
  };
  const asked = (path: string) =>
    world.receiver.attempts.filter((call) => call.method === "OPTIONS" && call.path === path);
  const delivered = (path: string) =>
    world.receiver.attempts.filter((call) => call.method === "POST" && call.path === path);
  const publish = (topic: string) =>
    world.bridge.api("PUT", `/v1/topics/${topic}`, "1", { "content-type": "text/plain" });
  const get = async (id: string) => (await world.bridge.api("GET", `/v1/webhooks/${id}`)).body;
  const patch = async (id: string, body: object) => {
    const answer = await world.bridge.api("PATCH", `/v1/webhooks/${id}`, body);
    assert.equal(answer.status, 200, answer.bytes.toString());
    return answer.body;
  };
  /** Returns the callback URL that a receiver got, at the actual address of this bridge. */
  const callbackOf = (call: ReceivedCall) => {
    const url = String(call.headers["webhook-request-callback"]);
    assert.ok(url.startsWith(`${PUBLIC_URL}/v1/webhooks/wh_`), url);
    return world.bridge.url + url.slice(PUBLIC_URL.length);
  };
  const confirm = async (url: string, init: RequestInit = {}) => {
    const answer = await fetch(url, init);
    return [answer.status, ((await answer.json()) as { state?: string; code?: string }).state];
  };
  /** Asserts, by a later message to another webhook, that nothing was sent to this one. */
  const assertNothingComes = async (path: string) => {
    const before = delivered("/marker").length;
    await publish("marker");
    await world.receiver.until(() => delivered("/marker").length > before);
    assert.deepEqual(delivered(path), []);
  };

  it("delivers to a receiver that agrees in its response", async () => {
    answers.set("/agrees", AGREES);
    const auth = { type: "bearer", token: "t-0-k-e-n" };
    const rateLimit = { max: 10, perSeconds: 5 };
    const { id, state, verification } = await register("/agrees", { auth, rateLimit, headers: { "X-Key": "k-e-y" } });
    assert.deepEqual([state, verification.state], ["active", "verified"]);
    const [{ headers, body }] = asked("/agrees") as [ReceivedCall];
    assert.equal(headers["webhook-request-origin"], ORIGIN);
    assert.equal(headers["webhook-request-rate"], "120");
    assert.match(String(headers["webhook-request-callback"]), new RegExp(`/v1/webhooks/${id}/verification\\?token=`));
    assert.equal(body.length, 0);
    assert.doesNotMatch(JSON.stringify(headers), /t-0-k-e-n|k-e-y|signature/, "no credentials before the answer");
    await publish("agrees");
    await world.receiver.until(() => delivered("/agrees").length === 1);
    assert.equal(delivered("/agrees")[0]!.headers["webhook-request-origin"], ORIGIN);
    assert.equal(delivered("/agrees")[0]!.headers["x-key"], "k-e-y");
    assert.deepEqual((await get(id)).rateLimit, rateLimit);
  });

  const rates: [own: object | undefined, allowed: string | undefined, then: object | undefined][] = [
    [undefined, "30", { max: 30, perSeconds: 60 }],
    [undefined, undefined, undefined],
    [undefined, "soon", undefined],
    [{ max: 1, perSeconds: 1 }, "30", { max: 30, perSeconds: 60 }],
    [{ max: 1, perSeconds: 1 }, "60", { max: 1, perSeconds: 1 }],
    [{ max: 1, perSeconds: 1 }, "*", { max: 1, perSeconds: 1 }],
  ];
  for (const [i, [own, allowed, then]] of rates.entries()) {
    it(`with limit ${JSON.stringify(own)} and allowed rate ${allowed} gives ${JSON.stringify(then)}`, async () => {
      const headers = { "webhook-allowed-origin": "*", ...(allowed && { "webhook-allowed-rate": allowed }) };
      answers.set(`/rate${i}`, { status: 204, headers });
      const { verification, rateLimit } = await register(`/rate${i}`, own && { rateLimit: own });
      assert.deepEqual([verification.state, rateLimit], ["verified", then]);
    });
  }

  it("keeps messages until the callback is called with its token, which works once and needs no API key", async () => {
    answers.set("/marker", AGREES);
    await register("/marker");
    const { id, state, verification } = await register("/later");
    assert.deepEqual([state, verification.state, "token" in verification], ["paused", "pending", false]);
    await publish("later");
    await assertNothingComes("/later");
    await patch(id, { enabled: true });
    await assertNothingComes("/later");
    assert.equal((await get(id)).counts.pending, 1);

    const url = callbackOf(asked("/later")[0]!);
    const [base, token] = url.split("token=") as [string, string];
    assert.match(token, /^[\w-]{32}$/);
    const other = token.startsWith("x") ? "y" : "x";
    for (const wrong of [`${token}x`, token.slice(1), other + token.slice(1)]) {
      assert.deepEqual(await confirm(`${base}token=${wrong}`), [404, undefined]);
    }
    assert.deepEqual(await confirm(url.replace(id, "wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11")), [404, undefined]);
    assert.deepEqual(await confirm(base), [400, undefined]);
    assert.equal((await get(id)).state, "paused");
    assert.deepEqual(await confirm(url), [200, "verified"]);
    await world.receiver.until(() => delivered("/later").length === 1);
    const shown = await get(id);
    assert.deepEqual([shown.state, shown.verification.state], ["active", "verified"]);
    for (const method of ["GET", "POST"]) assert.deepEqual(await confirm(url, { method }), [404, undefined]);
  });

  it("applies the rate given with the callback, also by POST", async () => {
    const { id } = await register("/post");
    const headers = { "webhook-allowed-rate": "12" };
    assert.deepEqual(await confirm(callbackOf(asked("/post")[0]!), { method: "POST", headers }), [200, "verified"]);
    assert.deepEqual((await get(id)).rateLimit, { max: 12, perSeconds: 60 });
  });

  const refusals: [name: string, answer: ReturnType<Receiver["answer"]>][] = [
    ["another origin", { status: 200, headers: { "webhook-allowed-origin": "eventemitter.example.com" } }],
    ["no origin", { status: 204, headers: { allow: "POST" } }],
    ["a redirect", { status: 307, headers: { ...AGREES.headers, location: "/agrees" } }],
    ["405", { status: 405, headers: AGREES.headers }],
  ];
  for (const [i, [name, answer]] of refusals.entries()) {
    it(`does not take ${name} as consent`, async () => {
      answers.set(`/refusal${i}`, answer);
      assert.equal((await register(`/refusal${i}`)).verification.state, "pending");
    });
  }

  it("does not take silence as consent", async () => {
    const gone = await startReceiver();
    await gone.close();
    assert.equal((await register("/gone", { url: gone.url })).state, "paused");
  });

  it("runs again when the URL changes, and invalidates earlier tokens", async () => {
    answers.set("/before", AGREES);
    const { id } = await register("/before");
    await patch(id, { name: "the same url" });
    await patch(id, { url: `${world.receiver.url}/before` });
    assert.equal(asked("/before").length, 1);

    const moved = await patch(id, { url: `${world.receiver.url}/after` });
    assert.deepEqual([moved.state, moved.verification.state], ["paused", "pending"]);
    await publish("before");
    await assertNothingComes("/after");
    const first = callbackOf(asked("/after")[0]!);
    assert.equal((await patch(id, { verify: true })).verification.state, "pending");
    const second = callbackOf(asked("/after")[1]!);
    assert.deepEqual(await confirm(first), [404, undefined]);
    await world.bridge.stop();
    await world.bridge.start();
    assert.deepEqual(await confirm(second), [200, "verified"]);
    await world.receiver.until(() => delivered("/after").length === 1);
    assert.equal(delivered("/before").length, 0);
  });

  it("is turned on and off by a change", async () => {
    const { id, verification } = await register("/changed", { verify: false });
    assert.equal(verification, undefined);
    assert.equal((await patch(id, { verify: true })).state, "paused");
    const without = await patch(id, { verify: false });
    assert.deepEqual([without.state, without.verification], ["active", undefined]);
    answers.set("/changed", AGREES);
    assert.deepEqual((await patch(id, { verify: true })).verification.state, "verified");
  });
});
