/** Portal links with real bridges on one store: used once across instances, over restarts, and ended with their keys. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Causeway, isCausewayError } from "../../src/client/index.ts";
import { API_KEY, startTestBridge, type TestBridge } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const tokenOf = (url: string) => new URL(url).hash.slice(1);

/** Exchanges the token of a link, and returns the response with its first cookie. */
async function open({ url }: Pick<TestBridge, "url">, portalToken: string) {
  const response = await fetch(`${url}/v1/session`, {
    method: "POST",
    headers: { "content-type": "application/json" },
    body: JSON.stringify({ portalToken }),
  });
  return { status: response.status, cookie: response.headers.getSetCookie()[0]?.split(";")[0] ?? "" };
}

const whoami = async ({ url }: Pick<TestBridge, "url">, cookie: string) => {
  const response = await fetch(`${url}/v1/session`, { headers: { cookie } });
  return { status: response.status, body: (await response.json()) as { name: string } };
};

describe("portal links of two instances", requireOrSkip("redis-server"), () => {
  it("open once, at any instance, and end with their key at every one", async (t) => {
    const redis = await startRedis();
    const env = { STORE_URL: redis.url };
    const [one, two] = [await startTestBridge(env), await startTestBridge(env)];
    t.after(async () => {
      for (const bridge of [one, two]) await bridge.kill();
      await redis.stop();
    });
    const causeway = new Causeway({ url: one.url, apiKey: API_KEY });
    const key = await causeway.keys.create({ name: "tenant", scopes: ["view"], read: ["tenant/#"] });
    const link = async () => tokenOf((await causeway.keys.createPortalSession({ keyId: key.id })).url);

    // The other instance hears of a new key a moment later.
    const known = new Causeway({ url: two.url, apiKey: key.key });
    await eventually(
      () => known.session.get().catch(() => undefined),
      (caller) => caller?.name === "tenant",
    );
    const token = await link();
    const opened = await Promise.all([one, two, one, two].map((bridge) => open(bridge, token)));
    assert.deepEqual(opened.map(({ status }) => status).sort(), [204, 401, 401, 401]);
    const { cookie } = opened.find(({ status }) => status === 204)!;
    for (const bridge of [one, two]) assert.equal((await whoami(bridge, cookie)).body.name, "tenant");

    const kept = await link();
    await one.stop();
    await one.start();
    assert.equal((await open(one, token)).status, 401, "stays used over a restart");
    assert.equal((await open(one, kept)).status, 204, "an unused link survives a restart");

    const unused = await link();
    await causeway.keys.delete(key.id);
    for (const bridge of [one, two]) {
      await eventually(
        () => whoami(bridge, cookie),
        ({ status }) => status === 401,
      );
      assert.equal((await open(bridge, unused)).status, 401);
    }
    await assert.rejects(link(), (error) => isCausewayError(error, "not_found"));
  });
});

describe("the address of portal links", () => {
  it("is that of the request, or PUBLIC_URL, below BASE_PATH", async (t) => {
    for (const [env, address] of [
      [{ BASE_PATH: "/iot" }, (bridge: TestBridge) => `${bridge.url}/iot`],
      [{ BASE_PATH: "/iot", PUBLIC_URL: "https://causeway.example.com" }, () => "https://causeway.example.com/iot"],
    ] as const) {
      const bridge = await startTestBridge({ ...env, EMBED_ORIGINS: "https://app.example.com" });
      t.after(() => bridge.kill());
      const causeway = new Causeway({ url: `${bridge.url}/iot`, apiKey: API_KEY });
      const { id } = await causeway.keys.create({ name: "tenant", scopes: ["view"], read: ["tenant/#"] });
      const { url, expiresAt } = await causeway.keys.createPortalSession({ keyId: id, ttlSeconds: 60 });
      assert.equal(url.replace(/#.*/, ""), `${address(bridge)}/portal`);
      const seconds = (Date.parse(expiresAt) - Date.now()) / 1_000;
      assert.ok(seconds > 30 && seconds <= 60, `${seconds}`);
      const page = await fetch(`${bridge.url}/iot/portal`);
      assert.match(page.headers.get("content-security-policy")!, /frame-ancestors https:\/\/app\.example\.com(;|$)/);
      assert.match(await page.text(), /<base href="\/iot\/">/);
    }
  });
});
