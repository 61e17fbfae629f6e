import assert from "node:assert/strict";
import { after, before, describe, it } from "node:test";
import request from "supertest";
import { bearerCheck } from "../../src/http/auth.ts";
import { loadDocument, operationsOf } from "../../src/http/document.ts";
import { type Caller, ROOT } from "../../src/keys/caller.ts";
import { AUTH, KEY, type TestApp, testApp } from "./support.ts";

const { openapi } = await loadDocument();

describe("authentication", () => {
  let test: TestApp;
  before(async () => {
    test = await testApp();
    await test.app.listen({ port: 0 });
  });
  after(() => test.app.close());

  for (const { path, method, operation } of operationsOf(openapi)) {
    const url = path.replace("{topic}", "a/b").replace("{id}", "wh_1");
    if (operation.security?.length === 0) {
      it(`allows ${method} ${path} without a key`, async () => {
        const { status } = await request(test.app.server)[method](url);
        assert.notEqual(status, 401);
      });
    } else {
      it(`requires the key for ${method} ${path}`, async () => {
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

  it("requires the key at unknown paths below /v1, for other methods and for malformed topics", async () => {
    for (const url of ["/v1", "/v1/nope", "/v1/topics/%zz"]) {
      assert.equal((await request(test.app.server).get(url)).status, 401, url);
    }
    assert.equal((await request(test.app.server).put("/v1/webhooks")).status, 401);
  });

  it("refuses before the body is read", async () => {
    const response = await request(test.app.server).post("/v1/messages").type("application/json").send("{not json");
    assert.equal(response.status, 401);
  });

  it("refuses other schemes and wrong keys, and accepts the scheme in any case", async () => {
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

  it("refuses a missing scope with 403 before the handler runs", async () => {
    const caller: Caller = { ...ROOT, id: "key_1", may: (scope) => scope === "publish" };
    const limited = await testApp({}, { authenticate: () => caller });
    await limited.app.listen({ port: 0 });
    const status = await request(limited.app.server).get("/v1/status").set(AUTH);
    assert.deepEqual([status.status, status.body.code], [403, "insufficient_scope"]);
    assert.match(status.headers["content-type"]!, /^application\/problem\+json/);
    assert.equal(status.headers["www-authenticate"], undefined);
    assert.equal((await request(limited.app.server).post("/v1/messages").set(AUTH).send({ topic: "a" })).status, 200);
    await limited.app.close();
  });

  it("identifies the caller once and passes it to the handler", async () => {
    const given: string[] = [];
    const callers: Caller[] = [];
    const asking = await testApp(
      {
        getStatus: (req) => {
          callers.push(req.caller);
          return { version: "1" };
        },
      },
      {
        authenticate: (bearer) => {
          given.push(bearer);
          return { ...ROOT, id: bearer };
        },
      },
    );
    await asking.app.listen({ port: 0 });
    for (const key of ["one", "two"]) {
      const { status } = await request(asking.app.server)
        .get("/v1/status")
        .set({ authorization: `Bearer ${key}` });
      assert.equal(status, 200);
    }
    assert.equal((await request(asking.app.server).get("/healthz").set(AUTH)).status, 200);
    assert.deepEqual(
      callers.map(({ id }) => id),
      ["one", "two"],
    );
    assert.deepEqual(given, ["one", "two"]);
    await asking.app.close();
  });

  it("takes one unit of the rate limit per request and reports the remaining units", async () => {
    const asked: number[] = [];
    const caller: Caller = {
      ...ROOT,
      take: (count) => {
        asked.push(count);
        return { allowed: asked.length < 2, limit: 9, remaining: 9 - asked.length, resetSeconds: 5 };
      },
    };
    const limited = await testApp({}, { authenticate: () => caller });
    await limited.app.listen({ port: 0 });
    const answers = [];
    for (let i = 0; i < 2; i++) answers.push(await request(limited.app.server).get("/v1/status").set(AUTH));
    assert.deepEqual(
      answers.map(({ status, headers }) => [status, headers["ratelimit-remaining"], headers["retry-after"]]),
      [
        [200, "8", undefined],
        [429, "7", "5"],
      ],
    );
    assert.deepEqual(asked, [1, 1]);
    await limited.app.close();
  });
});
