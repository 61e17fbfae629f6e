import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import { gunzipSync } from "node:zlib";
import request from "supertest";
import { type TestApp, testApp } from "./support.ts";

/** Gzip of everything that the first page loads before it shows something. */
const FIRST_LOAD_BYTES = 150 * 1024;

describe("the dashboard", () => {
  let test: TestApp;
  before(async () => {
    test = await testApp();
  });
  after(() => test.app.close());

  const get = (url: string) => request(test.app.server).get(url);
  /** The response with its bytes as they are sent, which supertest would decompress. */
  const raw = (url: string) => test.app.inject({ url, headers: { "accept-encoding": "gzip" } });
  const assetsOf = (html: string) => [...html.matchAll(/(?:src|href)="\.\/(assets\/[^"]+)"/g)].map(([, url]) => url!);

  for (const path of [
    "/",
    "/webhooks",
    "/webhooks/wh_1/edit",
    "/deliveries?status=failed",
    "/messages/msg_1",
    "/live",
  ]) {
    it(`is one page, also at ${path}`, async () => {
      const { status, headers, text } = await get(path);
      assert.equal(status, 200);
      assert.match(headers["content-type"]!, /^text\/html/);
      assert.equal(headers["cache-control"], "no-cache");
      assert.match(text, /<base href="\/">/);
    });
  }

  it("is not at other paths", async () => {
    for (const path of ["/assets/none.js", "/assets/../../package.json", "/webhook", "/index.html"]) {
      assert.equal((await get(path)).status, 404, path);
    }
  });

  it("allows its own files only, without inline code, and must not be framed", async () => {
    const { headers, text } = await get("/");
    const policy = headers["content-security-policy"]!;
    assert.match(policy, /default-src 'none'/);
    for (const kind of ["script", "style", "img", "connect"])
      assert.match(policy, new RegExp(`${kind}-src 'self'(;|$)`));
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /unsafe|data:|upgrade-insecure-requests/);
    assert.doesNotMatch(text, /<script>|<style|style="|onload=/);
    assert.equal(headers["x-content-type-options"], "nosniff");
  });

  it("may be framed by the configured origins only, and has an address for portal links", async (t) => {
    const origins = ["https://app.example.com", "http://localhost:5173"];
    const embedded = await testApp({}, { embedOrigins: origins });
    t.after(() => embedded.app.close());
    const { status, headers } = await request(embedded.app.server).get("/portal");
    assert.equal(status, 200);
    assert.match(
      headers["content-security-policy"]!,
      /frame-ancestors https:\/\/app\.example\.com http:\/\/localhost:5173(;|$)/,
    );
    assert.equal(headers["x-frame-options"], undefined);
    assert.equal(headers["referrer-policy"], "no-referrer");
    assert.equal((await get("/portal")).headers["x-frame-options"], "DENY");
  });

  it("serves the logo of portal sessions as an image that runs no script", async (t) => {
    const svg = '<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>';
    const portalLogo = { mediaType: "image/svg+xml", base64: btoa(svg) };
    const { app } = await testApp({}, { portalLogo });
    t.after(() => app.close());
    const { status, headers, body } = await request(app.server).get("/portal/logo");
    assert.deepEqual([status, headers["content-type"], body.toString()], [200, "image/svg+xml", svg]);
    assert.equal(headers["content-security-policy"], "default-src 'none'; style-src 'unsafe-inline'; sandbox");
    assert.equal(headers["x-content-type-options"], "nosniff");
    assert.equal((await get("/portal/logo")).status, 404, "none is set");
  });

  it("loads files that never change, compressed, within 150 KB", async () => {
    const urls = assetsOf((await get("/")).text);
    assert.ok(urls.some((url) => url.endsWith(".js")) && urls.some((url) => url.endsWith(".css")));
    let bytes = 0;
    for (const url of urls) {
      const { statusCode, headers, rawPayload } = await raw(`/${url}`);
      assert.equal(statusCode, 200, url);
      assert.equal(headers["content-encoding"], "gzip", url);
      assert.equal(headers["cache-control"], "public, max-age=31536000, immutable");
      assert.ok(gunzipSync(rawPayload).length > 0);
      bytes += rawPayload.length;
    }
    assert.ok(bytes <= FIRST_LOAD_BYTES, `${bytes} bytes`);
    const plain = await get(`/${urls[0]}`).set("accept-encoding", "identity");
    assert.equal(plain.headers["content-encoding"], undefined);
  });
});
