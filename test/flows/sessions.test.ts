/** Sessions of browsers with real bridges: over restarts, on several instances, and with the client. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Causeway, isCausewayError } from "../../src/client/index.ts";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const API_KEY = "test-key-0123456789abcdef";

/** A `fetch` that keeps one cookie, as a browser does. */
function browser(): typeof fetch {
  let cookie: string | undefined;
  return async (input, init) => {
    const request = new Request(input, init);
    if (cookie) request.headers.set("cookie", cookie);
    const response = await fetch(request);
    const set = response.headers.get("set-cookie")?.split(";")[0];
    if (set) cookie = set.endsWith("=") ? undefined : set;
    return response;
  };
}

const clientOf = ({ url }: TestBridge, send = browser()) => new Causeway({ url, fetch: send });

describe("a session with the client", () => {
  it("acts without a key, carries streams, lasts over a restart, and ends", async (t) => {
    const bridge = await startTestBridge();
    t.after(() => bridge.kill());
    const causeway = clientOf(bridge);
    await assert.rejects(causeway.session.get(), (error) => isCausewayError(error, "unauthorized"));
    await assert.rejects(causeway.session.signIn("wrong"), (error) => isCausewayError(error, "unauthorized"));
    await causeway.session.signIn(API_KEY);
    const { name, scopes, expiresAt } = await causeway.session.get();
    assert.deepEqual([name, scopes.includes("admin")], ["root", true]);
    const hours = (Date.parse(expiresAt!) - Date.now()) / 3_600_000;
    assert.ok(hours > 11.9 && hours <= 12, `${hours}`);

    const leave = new AbortController();
    const stream = causeway.stream(["a/#"], { signal: leave.signal });
    const first = stream.next();
    const published: Promise<unknown>[] = [];
    const publish = () => published.push(causeway.messages.publish({ topic: "a/1", payload: "x" }));
    const publishing = setInterval(publish, 50);
    assert.equal((await first).value?.subject, "a/1");
    clearInterval(publishing);
    leave.abort();
    await Promise.all(published);

    await bridge.stop();
    await bridge.start();
    assert.equal((await causeway.session.get()).name, "root");
    assert.equal((await causeway.messages.publish({ topic: "a/2" })).outcome, "acknowledged");
    await causeway.session.signOut();
    await assert.rejects(causeway.session.get(), (error) => isCausewayError(error, "unauthorized"));
  });

  it("describes the caller of a bearer key", async (t) => {
    const bridge = await startTestBridge();
    t.after(() => bridge.kill());
    const { key } = (await bridge.api("POST", "/v1/keys", { name: "k", scopes: ["read"], read: ["a"] })).body;
    const causeway = new Causeway({ url: bridge.url, apiKey: key });
    assert.deepEqual(await causeway.session.get(), {
      ...{ name: "k", scopes: ["read"], publish: [], read: ["a"], expiresAt: null },
    });
  });
});

describe("sessions of two instances", requireOrSkip("redis-server"), () => {
  it("are shared, and end on both when signed out, when the key is removed and when the first key is replaced", async (t) => {
    const redis = await startRedis();
    const env = { STORE_URL: redis.url };
    const [one, two] = [await startTestBridge(env), await startTestBridge(env)];
    t.after(async () => {
      for (const bridge of [one, two]) await bridge.kill();
      await redis.stop();
    });
    const ends = (causeway: Causeway) =>
      eventually(
        () =>
          causeway.session.get().then(
            () => "open",
            (error) => error.code,
          ),
        (state) => state === "unauthorized",
        10_000,
      );

    const first = browser();
    await clientOf(one, first).session.signIn(API_KEY);
    assert.equal((await clientOf(two, first).session.get()).name, "root");
    // A cookie that is used after the sign-out, as a stolen one would be.
    const cookie = await signIn(one);
    const held = clientOf(two, (input, init) => {
      const request = new Request(input, init);
      request.headers.set("cookie", cookie);
      return fetch(request);
    });
    assert.equal((await held.session.get()).name, "root");
    const stream = await fetch(`${two.url}/v1/stream?topic=t`, { headers: { cookie } });
    const publishing = setInterval(() => void two.api("POST", "/v1/messages", { topic: "t", payload: "x" }), 100);
    t.after(() => clearInterval(publishing));
    await fetch(`${one.url}/v1/session`, { method: "DELETE", headers: { cookie, "x-causeway-request": "1" } });
    await ends(held);
    await stream.text();
    clearInterval(publishing);
    assert.equal((await clientOf(two, first).session.get()).name, "root", "other sessions go on");

    const made = (await one.api("POST", "/v1/keys", { name: "k", scopes: ["read"], read: ["a"] })).body;
    const limited = clientOf(two);
    await eventually(
      () =>
        limited.session.signIn(made.key).then(
          () => true,
          () => false,
        ),
      (isIn) => isIn,
    );
    assert.equal((await limited.session.get()).name, "k");
    await one.api("DELETE", `/v1/keys/${made.id}`);
    await ends(limited);

    await two.stop();
    const replaced = await startTestBridge({ ...env, DATA_DIR: two.dataDir, API_KEY: "another-key-0123456789" });
    t.after(() => replaced.kill());
    await ends(clientOf(replaced, first));
  });
});

async function signIn({ url }: TestBridge): Promise<string> {
  const response = await fetch(`${url}/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ key: API_KEY }),
  });
  assert.equal(response.status, 204);
  return response.headers.get("set-cookie")!.split(";")[0]!;
}
