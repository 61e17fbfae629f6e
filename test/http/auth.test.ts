import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import request from "supertest";
import { ROOT } from "../../src/caller.ts";
import { bearerCheck } from "../../src/http/auth.ts";
import { loadDocument, operationsOf } from "../../src/http/document.ts";
import { AUTH, KEY, type TestApp, testApp } from "./support.ts";

describe("authentication", () => {
  let test: TestApp;
  before(async () => {
    test = await testApp();
    await test.app.listen({ port: 0 });
  });
  after(() => test.app.close());

  const { openapi } = loadDocument();
  for (const { path, method, operation } of operationsOf(openapi)) {
    const url = path.replace("{topic}", "a/b").replace("{id}", "wh_1");
    if (operation.security?.length === 0) {
      it(`${method} ${path} is open`, async () => {
        const { status } = await request(test.app.server)[method](url);
        assert.notEqual(status, 401);
      });
    } else {
      it(`${method} ${path} needs the key`, async () => {
        const count = test.seen.length;
        const response = await request(test.app.server)[method](url);
        assert.equal(response.status, 401);
        assert.equal(response.headers["www-authenticate"], "Bearer");
        assert.equal(response.body.code, "unauthorized");
        assert.match(response.headers["content-type"]!, /^application\/problem\+json/);
        assert.equal(test.seen.length, count);
      });
    }
  }

  it("asks for the key at unknown paths below /v1, at other methods and at malformed topics", async () => {
    for (const url of ["/v1", "/v1/nope", "/v1/topics/%zz"]) {
      assert.equal((await request(test.app.server).get(url)).status, 401, url);
    }
    assert.equal((await request(test.app.server).put("/v1/webhooks")).status, 401);
  });

  it("refuses before it reads the body", async () => {
    const response = await request(test.app.server).post("/v1/messages").type("application/json").send("{not json");
    assert.equal(response.status, 401);
  });

  it("refuses other schemes and wrong keys, and takes the scheme in any case", async () => {
    for (const authorization of [`Basic ${KEY}`, KEY, "Bearer", "Bearer ", `Bearer ${KEY}x`, `Bearer x${KEY}`]) {
      assert.equal(
        (await request(test.app.server).get("/v1/status").set({ authorization })).status,
        401,
        authorization,
      );
    }
    for (const authorization of [AUTH.authorization, `bearer ${KEY}`, `BEARER  ${KEY}`]) {
      assert.equal(
        (await request(test.app.server).get("/v1/status").set({ authorization })).status,
        200,
        authorization,
      );
    }
  });

  it("compares whole keys", () => {
    const check = bearerCheck("secret");
    assert.equal(check("secret"), ROOT);
    for (const wrong of ["secre", "secrets", "", "Secret"]) assert.equal(check(wrong), undefined, wrong);
  });
});
