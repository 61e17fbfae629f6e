import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { after, before, describe, it } from "node:test";
import request from "supertest";
import { parse } from "yaml";
import { type TestApp, testApp } from "./support.ts";

describe("documents", () => {
  let test: TestApp;
  before(async () => {
    test = await testApp();
  });
  after(() => test.app.close());

  const get = (url: string) => request(test.app.server).get(url);

  it("/docs loads only local files, and each of them exists", async () => {
    const page = await get("/docs");
    assert.equal(page.status, 200);
    assert.match(page.headers["content-type"]!, /^text\/html/);
    const urls = [...page.text.matchAll(/(?:src|href)="([^"]+)"/g)].map(([, url]) => url!);
    assert.ok(urls.length >= 4);
    for (const url of urls) {
      assert.doesNotMatch(url, /^(https?:)?\/\//);
      const asset = await get(`/${url}`);
      assert.equal(asset.status, 200, url);
      assert.match(asset.headers["content-type"]!, /^(text\/(css|javascript)|application\/javascript|image\/png)/, url);
    }
  });

  it("/docs runs no inline scripts and must not be framed", async () => {
    const { headers, text } = await get("/docs");
    const policy = headers["content-security-policy"]!;
    assert.match(policy, /script-src 'self'(;|$)/);
    assert.match(policy, /connect-src 'self'(;|$)/);
    assert.match(policy, /frame-ancestors 'none'/);
    assert.doesNotMatch(policy, /upgrade-insecure-requests/);
    assert.doesNotMatch(text, /<script>|onload=/);
    assert.equal(headers["strict-transport-security"], undefined);
  });

  it("/docs/ redirects to /docs", async () => {
    assert.equal((await get("/docs/")).headers.location, "../docs");
  });

  it("/openapi.json and /openapi.yaml are the contract", async () => {
    const file = readFileSync(new URL("../../openapi/openapi.yaml", import.meta.url), "utf8");
    const yaml = await get("/openapi.yaml").buffer(true).parse(text);
    assert.equal(yaml.body, file);
    const json = await get("/openapi.json");
    assert.deepEqual(json.body, parse(file));
    assert.match(json.headers["content-type"]!, /^application\/json/);
  });

  function text(response: request.Response, done: (error: Error | null, body: string) => void): void {
    const chunks: Buffer[] = [];
    const stream = response as unknown as NodeJS.ReadableStream;
    stream.on("data", (chunk: Buffer | string) => chunks.push(Buffer.from(chunk)));
    stream.on("end", () => done(null, Buffer.concat(chunks).toString()));
  }
});
