/** Bridges below a path prefix, behind a real nginx: one that passes the prefix on, and one that removes it. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { Causeway } from "../../src/client/index.ts";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { type Nginx, startNginx } from "../support/nginx.ts";
import { freePort } from "../support/ports.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";

const API_KEY = "test-key-0123456789abcdef";
const AUTH = { authorization: `Bearer ${API_KEY}` };
const JSON_TYPE = { "content-type": "application/json" };

describe("below a path prefix", requireOrSkip("nginx"), () => {
  let nginx: Nginx;
  let receiver: Receiver;
  const bridges: TestBridge[] = [];

  before(async () => {
    const port = await freePort();
    const publicUrl = `http://127.0.0.1:${port}`;
    receiver = await startReceiver();
    bridges.push(
      await startTestBridge({ BASE_PATH: "/passed/", PUBLIC_URL: publicUrl }),
      await startTestBridge({ TRUST_PROXY: "true", PUBLIC_URL: `${publicUrl}/removed/site-1` }),
    );
    nginx = await startNginx(
      port,
      `location /passed/ {
        proxy_pass ${bridges[0]!.url};
      }
      location /removed/site-1/ {
        proxy_pass ${bridges[1]!.url}/;
        proxy_set_header X-Forwarded-Prefix /removed/site-1;
        proxy_set_header X-Forwarded-Proto https;
        proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      }`,
    );
  });
  after(async () => {
    for (const bridge of bridges) await bridge.kill();
    await nginx?.stop();
    await receiver?.close();
  });

  for (const [i, prefix] of ["/passed", "/removed/site-1"].entries()) {
    describe(prefix, () => {
      const call = (path: string, init: RequestInit = {}) =>
        fetch(`${nginx.url}${prefix}${path}`, { redirect: "manual", ...init });
      const post = (path: string, body: object, headers: object = AUTH) =>
        call(path, { method: "POST", headers: { ...JSON_TYPE, ...headers }, body: JSON.stringify(body) });

      it("serves the dashboard, which loads its parts", async () => {
        for (const path of ["/", "/webhooks/wh_1"]) {
          const page = await (await call(path)).text();
          const [, base] = /<base href="([^"]+)">/.exec(page)!;
          assert.equal(base, `${prefix}/`);
          const urls = [...page.matchAll(/(?:src|href)="(\.[^"]+)"/g)].map(([, url]) => url!);
          assert.ok(urls.length >= 3);
          for (const url of urls) assert.equal((await fetch(new URL(url, nginx.url + base))).status, 200, url);
        }
      });

      it("serves the documentation, which loads its parts and the contract", async () => {
        assert.equal((await call("/docs/")).headers.get("location"), "../docs");
        const page = await (await call("/docs")).text();
        const script = await (await call("/docs/init.js")).text();
        const urls = [...page.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!);
        urls.push(/url: "([^"]+)"/.exec(script)![1]!);
        assert.ok(urls.includes("docs/assets/swagger-ui.css") && urls.includes("openapi.json"));
        for (const url of urls) {
          assert.equal((await fetch(new URL(url, `${nginx.url}${prefix}/docs`))).status, 200, url);
        }
      });

      it("names itself as the server of the contract, which the documentation calls", async () => {
        const { servers, info } = (await (await call("/openapi.json")).json()) as {
          servers: { url: string }[];
          info: { title: string };
        };
        assert.deepEqual(servers, [{ url: prefix, description: "This bridge." }]);
        assert.equal(info.title, "Causeway");
        const yaml = await (await call("/openapi.yaml")).text();
        assert.match(yaml, new RegExp(`^servers:\n  - url: ${prefix}\n`, "m"));
      });

      it("gives every Location the prefix, also when a request is repeated", async () => {
        const headers = { ...AUTH, "idempotency-key": "k" };
        const created = await post("/v1/keys", { name: "k", scopes: ["admin"] }, headers);
        const { id } = (await created.json()) as { id: string };
        const again = await post("/v1/keys", { name: "k", scopes: ["admin"] }, headers);
        assert.deepEqual([created.status, again.status, again.headers.get("idempotent-replayed")], [201, 201, "true"]);
        for (const { headers } of [created, again]) assert.equal(headers.get("location"), `${prefix}/v1/keys/${id}`);
        const sendAt = new Date(Date.now() + 3_600_000).toISOString();
        const stored = await post("/v1/messages", { topic: "a", sendAt });
        assert.equal(stored.status, 202);
        const state = await fetch(nginx.url + stored.headers.get("location"), { headers: AUTH });
        assert.equal(((await state.json()) as { outcome: string }).outcome, "scheduled");
      });

      it("publishes, registers a webhook and lists it with the client", async () => {
        const causeway = new Causeway({ url: `${nginx.url}${prefix}/`, apiKey: API_KEY });
        const { id } = await causeway.webhooks.create({ url: `${receiver.url}/client${i}`, topics: ["c/+"] });
        await bridges[i]!.readiness(200);
        await causeway.messages.publish({ topic: "c/1", payload: "over the prefix" });
        await receiver.until((calls) => calls.some(({ path }) => path === `/client${i}`));
        const ids: string[] = [];
        for await (const webhook of causeway.webhooks.list()) ids.push(webhook.id);
        assert.ok(ids.includes(id));
        assert.equal((await causeway.webhooks.get(id)).url, `${receiver.url}/client${i}`);
      });

      it("sets the cookie of a session for its own path, and Secure when the proxy says that the client uses TLS", async () => {
        const response = await post("/v1/session", { key: API_KEY }, {});
        assert.equal(response.status, 204);
        const [cookie, ...attributes] = response.headers.get("set-cookie")!.split("; ");
        const secure = prefix === "/passed" ? [] : ["Secure"];
        assert.deepEqual(attributes, [`Path=${prefix}`, "Max-Age=43200", "HttpOnly", "SameSite=Strict", ...secure]);
        const session = await call("/v1/session", { headers: { cookie: cookie! } });
        assert.equal(((await session.json()) as { name: string }).name, "root");
      });

      it("asks receivers for consent with a callback URL that works", async () => {
        const path = `/asked${i}`;
        const created = await post("/v1/webhooks", { url: receiver.url + path, topics: ["v"], verify: true });
        const { id } = (await created.json()) as { id: string };
        const asked = receiver.attempts.find((attempt) => attempt.path === path)!;
        const callback = String(asked.headers["webhook-request-callback"]);
        assert.ok(callback.startsWith(`${nginx.url}${prefix}/v1/webhooks/${id}/verification?token=`), callback);
        assert.deepEqual(await (await fetch(callback)).json(), { state: "verified" });
      });
    });
  }

  it("the prefix that is passed on keeps double and encoded slashes of topics", async () => {
    const put = (topic: string) =>
      fetch(`${nginx.url}/passed/v1/topics/${topic}`, { method: "PUT", headers: AUTH, body: "x" });
    for (const [path, topic] of [
      ["s//1", "s//1"],
      ["s%2F%2F2", "s//2"],
      ["s%252F3", "s%2F3"],
    ]) {
      assert.equal(((await (await put(path!)).json()) as { topic: string }).topic, topic);
    }
  });

  it("probes work without the prefix and with it; all else is not found without it", async () => {
    const { url } = bridges[0]!;
    for (const path of ["/healthz", "/readyz?x=1", "/passed/healthz", "/passed/readyz"]) {
      assert.equal((await fetch(url + path)).status, 200, path);
    }
    for (const path of [
      "/",
      "/docs",
      "/openapi.json",
      "/v1/keys",
      "/metrics",
      "/passedby/v1/keys",
      "//passed/v1/keys",
    ]) {
      assert.equal((await fetch(url + path, { headers: AUTH })).status, 404, path);
    }
    const bare = await (await fetch(`${url}/passed`)).text();
    assert.match(bare, /<base href="\/passed\/">/);
  });

  it("the start prints the address with the prefix", () => {
    assert.match(bridges[0]!.output, /API +http:\/\/127\.0\.0\.1:\d+\/passed +\(documents: \S+\/passed\/docs\)/);
  });
});
