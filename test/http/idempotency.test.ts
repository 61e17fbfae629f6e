import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "node:test";
import request from "supertest";
import type { Handlers, Schemas } from "../../src/http/contract/index.ts";
import { Problem } from "../../src/http/problem.ts";
import { ROOT } from "../../src/keys/caller.ts";
import { AUTH, type TestApp, testApp } from "./support.ts";

type Result = Schemas["PublishResult"];

describe("Idempotency-Key", () => {
  let test: TestApp;
  /** Result of the next publish; counts the calls. */
  let act: (topic: string) => Promise<Result>;
  let calls: number;

  beforeEach(async () => {
    calls = 0;
    act = async (topic) => ({
      id: `msg_${calls}`,
      topic,
      qos: 1,
      retain: false,
      outcome: "sent",
      noMatchingSubscribers: null,
    });
    const publish = (topic: string) => {
      calls += 1;
      return act(topic);
    };
    test = await testApp(
      {
        publishMessage: (req) => publish(req.body.topic),
        publishToTopic: (req) => publish(req.params.topic),
      },
      { authenticate: () => ROOT },
    );
    await test.app.listen({ port: 0 });
  });
  afterEach(() => test.app.close());

  const send = (body: object, headers: Record<string, string> = { "idempotency-key": "k" }) =>
    request(test.app.server)
      .post("/v1/messages")
      .set({ ...AUTH, ...headers })
      .send(body);

  it("repeats the response without repeating the operation", async () => {
    const first = await send({ topic: "a" });
    const again = await send({ topic: "a" });
    assert.equal(calls, 1);
    assert.equal(first.headers["idempotent-replayed"], undefined);
    assert.equal(again.headers["idempotent-replayed"], "true");
    assert.deepEqual([again.status, again.text, again.type], [first.status, first.text, first.type]);
  });

  it("keeps status and location of a creation", async () => {
    const create = () =>
      request(test.app.server)
        .post("/v1/webhooks")
        .set({ ...AUTH, "idempotency-key": "k" })
        .send({ url: "https://example.com", topics: ["a"] });
    const first = await create();
    const again = await create();
    assert.equal(again.headers["idempotent-replayed"], "true");
    assert.deepEqual([again.status, again.headers.location, again.body], [201, "/v1/webhooks/wh_1", first.body]);
    assert.equal(test.seen.length, 1);
  });

  it("keeps the response for 24 hours", async () => {
    await send({ topic: "a" });
    assert.deepEqual(
      [...test.expiringKeys.entries.values()].map(({ ttlSeconds }) => ttlSeconds),
      [86_400],
    );
  });

  it("has no effect when the header is missing", async () => {
    await send({ topic: "a" }, {});
    await send({ topic: "a" }, {});
    assert.equal(calls, 2);
    assert.equal(test.expiringKeys.entries.size, 0);
  });

  it("refuses a different body", async () => {
    await send({ topic: "a" });
    const { status, body } = await send({ topic: "b" });
    assert.deepEqual([status, body.code, calls], [422, "idempotency_mismatch", 1]);
  });

  it("keeps nothing that allows checking a guess at the body", async () => {
    const bodies = async (authorization: string) => {
      await send({ topic: "a" }, { "idempotency-key": authorization, authorization });
      return [...test.expiringKeys.entries.values()].map(({ value }) => (JSON.parse(value) as { body: string }).body);
    };
    await bodies("Bearer one");
    const [one, other] = await bodies("Bearer other");
    assert.notEqual(one, other);
    const text = JSON.stringify({ topic: "a" });
    for (const encoding of ["hex", "base64", "base64url"] as const) {
      assert.notEqual(one, createHash("sha256").update(text).digest(encoding));
    }
  });

  it("separates keys, callers and addresses", async () => {
    await send({ topic: "a" });
    await send({ topic: "a" }, { "idempotency-key": "other" });
    await send({ topic: "a" }, { "idempotency-key": "k", authorization: "Bearer other" });
    const topic = (url: string) =>
      request(test.app.server)
        .post(url)
        .set({ ...AUTH, "idempotency-key": "k" })
        .send();
    await topic("/v1/topics/a");
    await topic("/v1/topics/b");
    await topic("/v1/topics/a?qos=2");
    assert.equal(calls, 6);
    assert.equal((await topic("/v1/topics/a")).headers["idempotent-replayed"], "true");
  });

  it("compares raw bodies and their content type", async () => {
    const raw = (type: string, body: string) =>
      request(test.app.server)
        .post("/v1/topics/a")
        .set({ ...AUTH, "idempotency-key": "k" })
        .type(type)
        .send(body);
    await raw("text/plain", "x");
    assert.equal((await raw("text/plain", "x")).headers["idempotent-replayed"], "true");
    assert.equal((await raw("text/plain", "y")).status, 422);
    assert.equal((await raw("text/html", "x")).status, 422);
    assert.equal(calls, 1);
  });

  it("reports that the first request is still running, but does not block forever", async () => {
    const ordinary = act;
    let finish = () => {};
    const started = new Promise<void>((begun) => {
      act = (topic) => {
        begun();
        return new Promise((resolve) => {
          finish = () => resolve(ordinary(topic));
        });
      };
    });
    const first = send({ topic: "a" }).then((response) => response);
    await started;
    const second = await send({ topic: "a" });
    assert.deepEqual(
      [second.status, second.body.code, second.headers["retry-after"]],
      [409, "idempotency_in_progress", "1"],
    );
    assert.equal((await send({ topic: "b" })).status, 422);
    finish();
    assert.equal((await first).status, 200);
    assert.equal((await send({ topic: "a" })).headers["idempotent-replayed"], "true");
  });

  it("runs again when the process died during the first run", async () => {
    await send({ topic: "a" });
    const [[key, entry]] = [...test.expiringKeys.entries] as [[string, { value: string; ttlSeconds: number }]];
    const { body } = JSON.parse(entry.value);
    test.expiringKeys.entries.set(key, { value: JSON.stringify({ body }), ttlSeconds: 60 });
    assert.equal((await send({ topic: "a" })).status, 409);
    test.expiringKeys.expire();
    assert.equal((await send({ topic: "a" })).status, 200);
    assert.equal(calls, 2);
  });

  it("keeps refusals of the handler, but not 5xx and 429", async () => {
    const ordinary = act;
    for (const code of ["broker_unavailable", "broker_timeout", "rate_limited"] as const) {
      act = () => Promise.reject(new Problem(code, "later"));
      assert.equal((await send({ topic: "a" })).body.code, code);
      assert.equal(test.expiringKeys.entries.size, 0);
    }
    act = () => Promise.reject(new Error("defect"));
    assert.equal((await send({ topic: "a" })).status, 500);
    act = () => Promise.reject(new Problem("forbidden_topic", "no"));
    assert.equal((await send({ topic: "a" })).status, 403);
    act = ordinary;
    const again = await send({ topic: "a" });
    assert.deepEqual([again.status, again.headers["idempotent-replayed"]], [403, "true"]);
    assert.match(again.headers["content-type"]!, /^application\/problem\+json/);
  });

  it("stores no key for an invalid request", async () => {
    assert.equal((await send({ topic: 1 })).status, 400);
    assert.equal((await send({ topic: "a" })).status, 200);
  });

  it("refuses keys that are empty, too long or not printable", async () => {
    for (const key of [" ", "x".repeat(256), "a\tb", "\u00e9"]) {
      const { status, body } = await send({ topic: "a" }, { "idempotency-key": key });
      assert.deepEqual([status, body.errors?.[0].path], [400, "header.idempotency-key"], JSON.stringify(key));
    }
    assert.equal((await send({ topic: "a" }, { "idempotency-key": "x".repeat(255) })).status, 200);
    assert.equal(calls, 1);
  });

  it("refuses requests with the header while the store is away", async () => {
    test.expiringKeys.broken = true;
    const { status, body } = await send({ topic: "a" });
    assert.deepEqual([status, body.code, calls], [503, "store_unavailable", 0]);
  });

  it("responds with the result even if the response could not be stored", async () => {
    const ordinary = act;
    act = (topic) => {
      test.expiringKeys.broken = true;
      return ordinary(topic);
    };
    assert.equal((await send({ topic: "a" })).status, 200);
  });
});

describe("Idempotency-Key of a pull", () => {
  let test: TestApp;
  /** Text that the next pull keeps; undefined: none. */
  let kept: string | undefined;
  let steps: string[];
  let during: () => Promise<unknown>;

  beforeEach(async () => {
    kept = "leases";
    steps = [];
    during = async () => undefined;
    const pullDeliveries: Handlers["pullDeliveries"] = async (req, reply) => {
      const once = req.onceRemade;
      const work = async (): Promise<[string, string | undefined]> => {
        steps.push("take");
        await during();
        return ['{"items":[]}', kept];
      };
      const again = async (text: string) => {
        steps.push(`again ${text}`);
        if (text === "ended") throw new Problem("conflict", "they have ended");
        return '{"items":[]}';
      };
      reply.type("application/json");
      return reply.send(once ? await once(work, again) : (await work())[0]);
    };
    test = await testApp({ pullDeliveries }, { authenticate: () => ROOT });
    await test.app.listen({ port: 0 });
  });
  afterEach(() => test.app.close());

  const pull = (body: object = { max: 1 }, headers: Record<string, string> = { "idempotency-key": "k" }) =>
    request(test.app.server)
      .post("/v1/webhooks/wh_1/pull")
      .set({ ...AUTH, ...headers })
      .send(body);

  it("has the response made again from what was kept for 5 minutes", async () => {
    assert.equal((await pull()).headers["idempotent-replayed"], undefined);
    assert.equal((await pull()).headers["idempotent-replayed"], "true");
    assert.deepEqual(steps, ["take", "again leases"]);
    const [entry] = test.expiringKeys.entries.values();
    assert.equal(entry!.ttlSeconds, 300);
    assert.doesNotMatch(entry!.value, /leases/);
  });

  it("refuses another body, and passes on that the leases have ended", async () => {
    kept = "ended";
    await pull();
    assert.equal((await pull({ max: 2 })).body.code, "idempotency_mismatch");
    const refused = await pull();
    assert.deepEqual([refused.status, refused.body.code], [409, "conflict"]);
    assert.equal(refused.headers["idempotent-replayed"], undefined);
  });

  it("keeps no key after a pull that took nothing or failed", async () => {
    kept = undefined;
    await pull();
    during = () => Promise.reject(new Problem("store_unavailable", "away"));
    assert.equal((await pull()).status, 503);
    assert.deepEqual([steps, test.expiringKeys.entries.size], [["take", "take"], 0]);
  });

  it("blocks the key only shortly unless the pull still runs", async (t) => {
    t.mock.timers.enable({ apis: ["setInterval"] });
    let finish = () => {};
    const started = new Promise<void>((begun) => {
      during = () => {
        begun();
        return new Promise<void>((resolve) => (finish = resolve));
      };
    });
    const first = pull().then((response) => response);
    await started;
    assert.deepEqual([(await pull()).body.code, steps], ["idempotency_in_progress", ["take"]]);
    const [[key, entry]] = [...test.expiringKeys.entries] as [[string, { value: string; ttlSeconds: number }]];
    assert.equal(entry.ttlSeconds, 15);
    test.expiringKeys.entries.delete(key);
    t.mock.timers.tick(5_000);
    assert.deepEqual(test.expiringKeys.entries.get(key), entry);
    finish();
    assert.equal((await first).status, 200);
    assert.equal((await pull()).headers["idempotent-replayed"], "true");
  });

  it("works without a key", async () => {
    await pull({}, {});
    await pull({}, {});
    assert.deepEqual([steps, test.expiringKeys.entries.size], [["take", "take"], 0]);
  });
});
