/** Cross-origin requests over the real app, as browsers send them. */
import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import request from "supertest";
import { EXPOSED_HEADERS } from "../../src/http/cors.ts";
import { loadDocument, operationsOf, resolve } from "../../src/http/document.ts";
import { AUTH, type TestApp, testApp } from "./support.ts";

const APP = "https://app.example.com";
const ORIGINS = [APP, "http://localhost:5173"];
const PREFLIGHT = {
  "access-control-request-method": "POST",
  "access-control-request-headers": "authorization,content-type,idempotency-key",
};

describe("a page of another origin", () => {
  let test: TestApp;
  before(async () => {
    test = await testApp({}, { corsOrigins: ORIGINS });
    await test.app.listen({ port: 0 });
  });
  after(() => test.app.close());

  const server = () => request(test.app.server);
  const corsOf = ({ headers }: request.Response) =>
    Object.fromEntries(Object.entries(headers).filter(([name]) => name.startsWith("access-control-")));

  for (const origin of ORIGINS) {
    it(`may call the API from ${origin}: the preflight needs no key`, async () => {
      const response = await server()
        .options("/v1/messages")
        .set({ origin, ...PREFLIGHT });
      assert.equal(response.status, 204);
      assert.deepEqual(corsOf(response), {
        "access-control-allow-origin": origin,
        "access-control-expose-headers": EXPOSED_HEADERS.join(", "),
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": PREFLIGHT["access-control-request-headers"],
        "access-control-max-age": "7200",
      });
      assert.equal(response.headers.vary, "Origin, Access-Control-Request-Headers");
    });
  }

  it("can read responses and refusals, also of unknown and malformed paths", async () => {
    for (const [path, headers, status] of [
      ["/v1/webhooks", AUTH, 200],
      ["/v1/webhooks", {}, 401],
      ["/v1/nothing", AUTH, 404],
      ["/v1/topics/%zz", AUTH, 400],
      ["/healthz", {}, 200],
      ["/openapi.json", {}, 200],
    ] as const) {
      const response = await server()
        .get(path)
        .set({ origin: APP, ...headers });
      assert.equal(response.status, status, path);
      assert.equal(response.headers["access-control-allow-origin"], APP, path);
      assert.equal(response.headers["access-control-allow-credentials"], undefined, path);
      assert.match(response.headers.vary ?? "", /Origin/, path);
    }
  });

  it("gets no permission from an origin that is not listed exactly", async () => {
    for (const origin of [
      "https://app.example.com.evil.test",
      "https://app.example.com:8443",
      "http://app.example.com",
      "null",
    ]) {
      const preflight = await server()
        .options("/v1/messages")
        .set({ origin, ...PREFLIGHT });
      assert.equal(preflight.status, 401, origin);
      assert.deepEqual(corsOf(preflight), {}, origin);
      const call = await server()
        .get("/v1/webhooks")
        .set({ origin, ...AUTH });
      assert.equal(call.status, 200, "the bridge does not decide by the origin, the browser does");
      assert.deepEqual(corsOf(call), {}, origin);
    }
  });

  it("OPTIONS that is no preflight is refused with 405", async () => {
    const response = await server()
      .options("/v1/messages")
      .set({ origin: APP, ...AUTH });
    assert.deepEqual([response.status, response.body.code], [405, "method_not_allowed"]);
    assert.equal(response.headers["access-control-allow-origin"], APP);
  });

  it("can read every response header of the contract", async () => {
    const { openapi } = await loadDocument();
    const named = operationsOf(openapi).flatMap(({ operation }) =>
      Object.values(operation.responses).flatMap((response) => Object.keys(resolve(openapi, response).headers ?? {})),
    );
    const missing = new Set(named.map((name) => name.toLowerCase()).filter((name) => !EXPOSED_HEADERS.includes(name)));
    assert.deepEqual([...missing].sort(), ["set-cookie", "www-authenticate"]);
  });
});

it("without CORS_ORIGINS no response has a CORS header, and a preflight is refused", async (t) => {
  const { app } = await testApp();
  t.after(() => app.close());
  await app.listen({ port: 0 });
  const preflight = await request(app.server)
    .options("/v1/messages")
    .set({ origin: APP, ...PREFLIGHT });
  const withKey = await request(app.server)
    .options("/v1/messages")
    .set({ origin: APP, ...PREFLIGHT, ...AUTH });
  const call = await request(app.server)
    .get("/v1/webhooks")
    .set({ origin: APP, ...AUTH });
  assert.deepEqual([preflight.status, withKey.status, call.status], [401, 405, 200]);
  for (const { headers } of [preflight, withKey, call]) {
    assert.deepEqual(
      Object.keys(headers).filter((name) => name.startsWith("access-control-") || name === "vary"),
      [],
    );
  }
});
