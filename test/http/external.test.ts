/** The path prefix, the scheme and the address of the client, from the requests of a proxy. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import request from "supertest";
import type { AppOptions } from "../../src/http/app.ts";
import type { External } from "../../src/http/external.ts";
import { isPathPrefix } from "../../src/lib/path-prefix.ts";
import { AUTH, testApp } from "./support.ts";

/** Returns the external view that a handler sees, and the address below which the dashboard finds its files. */
async function seen(
  options: Partial<AppOptions>,
  headers: Record<string, string>,
): Promise<External & { base: string }> {
  let external: External | undefined;
  const { app } = await testApp(
    {
      getStatus: (req) => {
        external = req.external;
        return {};
      },
    },
    options,
  );
  await app.listen({ host: "127.0.0.1", port: 0 });
  const base = options.basePath ?? "";
  assert.equal(
    (
      await request(app.server)
        .get(`${base}/v1/status`)
        .set({ ...AUTH, ...headers })
    ).status,
    200,
  );
  const { text } = await request(app.server).get(`${base}/`).set(headers);
  await app.close();
  return { ...external!, base: /<base href="([^"]+)">/.exec(text)![1]! };
}

const FORWARDED = { "x-forwarded-prefix": "/iot", "x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.7" };
const NONE = { prefix: "", isSecure: false, address: "127.0.0.1", base: "/" };

describe("the external view of a request", () => {
  it("ignores every header of a proxy by default", async () => {
    assert.deepEqual(await seen({}, FORWARDED), NONE);
    assert.deepEqual(await seen({ basePath: "/base" }, FORWARDED), { ...NONE, prefix: "/base", base: "/base/" });
  });

  it("believes a trusted proxy, and without headers the connection", async () => {
    const external = { prefix: "/iot", isSecure: true, address: "192.0.2.7", base: "/iot/" };
    assert.deepEqual(await seen({ trustProxy: true }, FORWARDED), external);
    assert.deepEqual(await seen({ trustProxy: true, basePath: "/base" }, FORWARDED), external);
    assert.deepEqual(await seen({ trustProxy: true }, {}), NONE);
  });

  it("takes the last of several values: the nearest proxy added it", async () => {
    const headers = { "x-forwarded-for": "203.0.113.1, 192.0.2.7", "x-forwarded-proto": "https, http" };
    assert.deepEqual(await seen({ trustProxy: true }, headers), { ...NONE, address: "192.0.2.7" });
  });

  it("takes the prefix of Home Assistant's ingress as well", async () => {
    const { prefix } = await seen({ trustProxy: true }, { "x-ingress-path": "/api/hassio_ingress/a-b_c" });
    assert.equal(prefix, "/api/hassio_ingress/a-b_c");
  });

  it("ignores a forwarded prefix that is no plain path", async () => {
    for (const value of [
      "//evil.test",
      "/a b",
      "/a?b",
      "/a/../b",
      "/.",
      "a",
      "/v1",
      "/v1/x",
      "/ü",
      "/a;b",
      "/",
      `/${"a".repeat(200)}`,
    ]) {
      assert.deepEqual(await seen({ trustProxy: true }, { "x-forwarded-prefix": encodeURI(value) }), NONE, value);
    }
    assert.equal((await seen({ trustProxy: true }, { "x-forwarded-prefix": "/iot/" })).prefix, "/iot");
  });

  it("below a base path, only the probes are found without it", async (t) => {
    const { app, seen: calls } = await testApp({}, { basePath: "/base" });
    t.after(() => app.close());
    await app.listen({ host: "127.0.0.1", port: 0 });
    const status = async (path: string, headers = AUTH) => (await request(app.server).get(path).set(headers)).status;
    for (const path of ["/healthz", "/healthz?x=1", "/base/healthz", "/base/docs", "/base/v1/webhooks"]) {
      assert.equal(await status(path), 200, path);
    }
    for (const path of [
      "/",
      "/docs",
      "/v1/webhooks",
      "/v1/topics/%zz",
      "/based/docs",
      "/base%2Fdocs",
      "/healthz/",
      "/Base/docs",
    ]) {
      assert.equal(await status(path), 404, path);
    }
    assert.equal(await status("/base/v1/nothing", {} as typeof AUTH), 401);
    assert.match((await request(app.server).get("/base?x")).text, /<base href="\/base\/">/);
    const put = await request(app.server).put("/base/v1/topics/a//b%2Fc").set(AUTH).send("x");
    assert.equal(put.status, 200);
    assert.deepEqual(calls.at(-1)!.params, { topic: "a//b/c" });
  });

  it("accepts prefixes of plain characters", () => {
    for (const good of ["/iot", "/a/b-c/d_e/f.g/~h", "/v10", "/..."]) assert.ok(isPathPrefix(good), good);
  });
});
