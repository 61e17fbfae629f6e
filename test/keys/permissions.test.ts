/** Rights of a key: every rule over HTTP, with allowed and refused cases. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import { loadDocument, operationsOf, scopesOf } from "../../src/http/document.ts";
import { SCOPES, type Scope } from "../../src/keys/caller.ts";
import { startTestKeys, type TestKeys } from "./support.ts";

const HOOK = { url: "https://example.com/" };

let test: TestKeys;

/** Starts an app for each test of a suite. */
function startForEach(): void {
  beforeEach(async () => {
    test = await startTestKeys();
  });
  afterEach(() => test.close());
}

/** Asserts 403 forbidden_topic that names the topic and the field. */
function assertForbidden({ status, body }: { status: number; body: Problem }, topic: string, path: string): void {
  assert.deepEqual([status, body.code, body.errors?.[0]?.path], [403, "forbidden_topic", path]);
  assert.ok(body.detail.endsWith(` ${topic}`), body.detail);
}
interface Problem {
  code: string;
  detail: string;
  errors?: { path: string }[];
}

const { openapi } = await loadDocument();

describe("scopes", () => {
  // These tests change nothing that another one reads.
  before(async () => {
    test = await startTestKeys();
  });
  after(() => test.close());

  const operations = operationsOf(openapi).filter(({ operation }) => scopesOf(operation).length > 0);

  for (const { path, method, operation } of operations) {
    const needed = scopesOf(operation);
    it(`${operation.operationId} requires the scope ${needed.join(" or ")} and accepts no other scope`, async () => {
      const url = path.replace("{topic}", "a/b").replace("{id}", "x");
      const others = await test.make({ scopes: SCOPES.filter((scope) => !needed.includes(scope)) });
      const refusal = await test.api(method, url, undefined, others.key);
      assert.deepEqual([refusal.status, refusal.body.code], [403, "insufficient_scope"]);
      assert.ok(refusal.body.detail.endsWith(` scope ${needed.join(" or ")}`), refusal.body.detail);
      for (const scope of needed) {
        const { key } = await test.make({ scopes: [scope] });
        const { body } = await test.api(method, url, undefined, key);
        assert.ok(!["insufficient_scope", "unauthorized"].includes(body.code), body.code);
      }
    });
  }

  it("view suffices for every GET of webhooks, deliveries, messages, status and metrics, and for nothing else", () => {
    const viewable = operations.filter(({ operation }) => scopesOf(operation).includes("view"));
    assert.deepEqual(viewable.map(({ method, path }) => `${method} ${path}`).sort(), [
      "get /metrics",
      "get /v1/deliveries",
      "get /v1/messages/{id}",
      "get /v1/metrics",
      "get /v1/status",
      "get /v1/webhooks",
      "get /v1/webhooks/{id}",
      "get /v1/webhooks/{id}/deliveries",
      "get /v1/webhooks/{id}/deliveries/{messageId}",
      "get /v1/webhooks/{id}/metrics",
      "get /v1/webhooks/{id}/replays/{replayId}",
    ]);
  });

  it("are checked before the body is read", async () => {
    const { key } = await test.make({ scopes: ["read"] });
    const { status } = await test.api("POST", "/v1/messages", "{not json", key, { "content-type": "application/json" });
    assert.equal(status, 403);
  });

  it("admin grants no topics, and any scope passes at unknown paths, up to their 404 or 405", async () => {
    const { key } = await test.make({ scopes: ["publish", "read", "admin"], publish: [], read: [] });
    assertForbidden(await test.api("POST", "/v1/messages", { topic: "a" }, key), "a", "topic");
    assertForbidden(await test.api("GET", "/v1/topics/a", undefined, key), "a", "topic");
    const other = (await test.make({ scopes: ["webhooks"] })).key;
    assert.equal((await test.api("GET", "/v1/nothing", undefined, other)).status, 404);
    assert.equal((await test.api("PUT", "/v1/messages", undefined, other)).status, 405);
  });
});

describe("publishing", () => {
  startForEach();

  const calls = {
    publishMessage: (topic: string, key?: string) => test.api("POST", "/v1/messages", { topic, payload: "x" }, key),
    publishToTopic: (topic: string, key?: string) => test.api("POST", `/v1/topics/${topic}`, undefined, key),
    retainTopic: (topic: string, key?: string) => test.api("PUT", `/v1/topics/${topic}`, undefined, key),
    clearTopic: (topic: string, key?: string) => test.api("DELETE", `/v1/topics/${topic}`, undefined, key),
  };
  for (const [operation, call] of Object.entries(calls)) {
    it(`${operation} accepts exactly the topics that a publish filter matches`, async () => {
      const { key } = await test.make({ publish: ["site/+/commands", "x/#"], read: ["#"] });
      for (const topic of ["site/1/commands", "x", "x/y/z"]) assert.equal((await call(topic, key)).status, 200, topic);
      for (const topic of ["site/1", "site/1/2/commands", "xy", "$SYS/x"])
        assertForbidden(await call(topic, key), topic, "topic");
      assert.deepEqual(
        test.published.map(({ topic }) => topic),
        ["site/1/commands", "x", "x/y/z"],
      );
    });

    it(`${operation}: the first key may use any topic, # all topics but those that start with $`, async () => {
      const { key } = await test.make({ publish: ["#"], read: [] });
      assert.equal((await call("any/thing", key)).status, 200);
      assertForbidden(await call("$ops/x", key), "$ops/x", "topic");
      assert.equal((await call("$ops/x")).status, 200);
    });
  }

  it("checks the topic as it will be published, however the path encodes it", async () => {
    const { key } = await test.make({ publish: ["a/b"] });
    assert.equal((await test.api("POST", "/v1/topics/a%2Fb", undefined, key)).status, 200);
    assertForbidden(await test.api("POST", "/v1/topics/a%2Fb%2Fc", undefined, key), "a/b/c", "topic");
    assertForbidden(await test.api("POST", "/v1/topics/a//b", undefined, key), "a//b", "topic");
  });
});

describe("a response topic", () => {
  startForEach();

  const hook = { ...HOOK, topics: ["ask/+"], replyTopic: "{responseTopic}" };

  it("requires the right to publish to it where a webhook replies on it", async () => {
    const { key } = await test.make({ publish: ["ask/#", "mine"], read: ["#"] });
    const send = (topic: string, responseTopic: string, as?: string) =>
      test.api("POST", "/v1/messages", { topic, responseTopic }, as);
    assert.equal((await send("ask/1", "theirs", key)).status, 200, "no webhook answers");
    assert.equal((await test.api("POST", "/v1/webhooks", hook)).status, 201);
    assertForbidden(await send("ask/1", "theirs", key), "theirs", "responseTopic");
    const request = { topic: "ask/1", responseTopic: "theirs/{requestId}" };
    const refused = await test.api("POST", "/v1/requests", request, key);
    assert.deepEqual([refused.status, refused.body.errors[0].path], [403, "responseTopic"]);
    const batch = { messages: [{ topic: "ask/1", responseTopic: "theirs" }, { topic: "ask/1" }] };
    const { results } = (await test.api("POST", "/v1/messages/batch", batch, key)).body;
    assert.deepEqual(
      results.map(({ code, status }: { code?: string; status: number }) => code ?? status),
      ["forbidden_topic", 200],
    );
    assert.equal((await send("ask/1", "mine", key)).status, 200);
    assert.equal((await send("ask/1/x", "theirs", key)).status, 200, "not the webhook's topic");
    assert.equal((await send("ask/1", "theirs")).status, 200, "the first key");
  });

  it("generated by the bridge requires no right", { timeout: 10_000 }, async () => {
    await test.api("POST", "/v1/webhooks", hook);
    const { key } = await test.make({ publish: ["ask/#"], read: [] });
    const published = once(test.publishing, "published");
    const answer = test.api("POST", "/v1/requests", { topic: "ask/1" }, key).then(({ status }) => status);
    await published;
    test.tell(test.published[0]!.responseTopic!, "ok");
    assert.equal(await answer, 200);
  });
});

describe("reading a retained message", () => {
  startForEach();

  it("is allowed for exactly the topics that a read filter matches", async () => {
    const { key } = await test.make({ publish: ["#"], read: ["site/#"] });
    for (const topic of ["site", "site/1"])
      assert.equal((await test.api("GET", `/v1/topics/${topic}`, undefined, key)).status, 200);
    assertForbidden(await test.api("GET", "/v1/topics/other", undefined, key), "other", "topic");
    assert.equal((await test.api("GET", "/v1/topics/other")).status, 200);
  });

  it("is refused alike for topics with and without a retained message", async () => {
    const { key } = await test.make({ read: [] });
    const [one, two] = [
      await test.api("GET", "/v1/topics/a", undefined, key),
      await test.api("GET", "/v1/topics/b", undefined, key),
    ];
    assert.equal(one.text.replaceAll(/\ba\b/g, "b").length, two.text.length);
    assert.deepEqual([one.status, two.status], [403, 403]);
  });
});

describe("webhooks", () => {
  startForEach();

  const register = (topics: string[], key?: string) => test.api("POST", "/v1/webhooks", { ...HOOK, topics }, key);

  it("are registered only on topics that the read filters cover", async () => {
    const { key } = await test.make({ scopes: ["webhooks"], publish: ["#"], read: ["site/+/data", "x/#"] });
    assert.equal((await register(["site/+/data", "site/1/data", "x/#", "x/+/y"], key)).status, 201);
    assertForbidden(await register(["x", "site/#"], key), "site/#", "topics[1]");
    assertForbidden(await register(["#"], key), "#", "topics[0]");
    assertForbidden(await register(["site/+/+"], key), "site/+/+", "topics[0]");
    assert.equal((await test.api("GET", "/v1/webhooks")).body.items.length, 1);
  });

  it("on topics that start with $ are not covered by a read filter #", async () => {
    const { key } = await test.make({ scopes: ["webhooks"], read: ["#"] });
    assertForbidden(await register(["$SYS/#"], key), "$SYS/#", "topics[0]");
    assert.equal((await register(["$SYS/#"])).status, 201);
    assert.equal((await register(["#"], key)).status, 201);
  });

  it("are changed only to topics that the read filters cover", async () => {
    const { key } = await test.make({ scopes: ["webhooks"], read: ["x/#"] });
    const { id } = (await register(["x/1"], key)).body;
    const patch = (body: object) => test.api("PATCH", `/v1/webhooks/${id}`, body, key);
    assert.equal((await patch({ topics: ["x/2", "x/+"] })).status, 200);
    assertForbidden(await patch({ topics: ["x/3", "y"] }), "y", "topics[1]");
    assert.equal((await patch({ name: "renamed" })).status, 200);
    const { body } = await test.api("GET", `/v1/webhooks/${id}`);
    assert.deepEqual([body.topics, body.name], [["x/2", "x/+"], "renamed"]);
  });

  it("on topics that the key may not read are not found, for any operation", async () => {
    const { key } = await test.make({ scopes: ["webhooks"], read: ["x/#"] });
    const hidden = (await register(["x/1", "y"])).body.id;
    const shown = (await register(["x/1"])).body.id;
    const calls: [method: string, path: string, body?: object][] = [
      ["GET", ""],
      ["PATCH", "", { enabled: false }],
      ["PATCH", "", { topics: ["x/2"] }],
      ["PATCH", "", { topics: ["z"] }],
      ["DELETE", ""],
      ["GET", "/deliveries"],
    ];
    for (const [method, path, body] of calls) {
      const answer = await test.api(method, `/v1/webhooks/${hidden}${path}`, body, key);
      const absent = await test.api(method, `/v1/webhooks/wh_none${path}`, body, key);
      assert.deepEqual([answer.status, answer.body.code], [404, "not_found"], method);
      assert.equal(answer.text, absent.text.replace("wh_none", hidden));
    }
    const { body } = await test.api("GET", `/v1/webhooks/${hidden}`);
    assert.deepEqual([body.enabled, body.topics], [true, ["x/1", "y"]]);
    for (const [method, path, ...rest] of [...calls.slice(0, 3), calls[5]!, calls[4]!]) {
      const answer = await test.api(method, `/v1/webhooks/${shown}${path}`, rest[0], key);
      assert.ok(answer.status < 300, `${method} ${path} ${answer.status}`);
    }
  });

  it("keep their credentials for their original origin, also during concurrent changes", async () => {
    const [auth, headers] = [{ type: "bearer", token: "t0ken" }, { "x-api-key": "k3y" }];
    const { id } = (await register(["x"])).body;
    const patch = (body: object) => test.api("PATCH", `/v1/webhooks/${id}`, body);
    let isSet = false;
    test.webhookRecords.beforeReplace = async () => {
      if (isSet) return;
      isSet = true;
      await patch({ auth, headers });
    };
    const url = "https://other.example.com/";
    const { status, body } = await patch({ url });
    assert.deepEqual([status, body.code], [422, "credentials_required"]);
    assert.deepEqual(
      body.errors.map(({ path }: { path: string }) => path),
      ["auth", "headers"],
    );
    const masked = (await test.api("GET", `/v1/webhooks/${id}`)).body.headers;
    assert.equal((await patch({ url, auth: null, headers: masked })).status, 422);
    assert.equal((await patch({ url: `${HOOK.url}v2`, headers: masked })).status, 200);
    assert.deepEqual(test.webhookRecords.stored.get(id)!.value.headers, headers);
    assert.equal((await patch({ url, auth: null, headers: {} })).status, 200);
    const { value } = test.webhookRecords.stored.get(id)!;
    assert.deepEqual([value.url, value.auth, value.headers], [url, undefined, {}]);
  });

  it("are not changed when they concurrently move to topics that the key may not read", async () => {
    const { key } = await test.make({ scopes: ["webhooks"], read: ["x"] });
    const { id } = (await register(["x"])).body;
    let moved = false;
    test.webhookRecords.beforeReplace = async () => {
      if (moved) return;
      moved = true;
      await test.api("PATCH", `/v1/webhooks/${id}`, { topics: ["y"] });
    };
    const { status } = await test.api("PATCH", `/v1/webhooks/${id}`, { url: "https://example.org/" }, key);
    assert.equal(status, 404);
    const { body } = await test.api("GET", `/v1/webhooks/${id}`);
    assert.deepEqual([body.topics, body.url], [["y"], HOOK.url]);
  });

  describe("whose replies are published", () => {
    const calls: [method: string, path: string, body?: object][] = [
      ...[
        { url: "https://other.example.com/" },
        { headers: {} },
        { auth: null },
        { transform: "1" },
        { name: "x" },
      ].map((body): [string, string, object] => ["PATCH", "", body]),
      ["PATCH", "", { enabled: true }],
      ["PATCH", "", { enabled: false, timeoutMs: 1_000 }],
      ["PATCH", "", { topics: ["x/2"] }],
      ["POST", "/resume"],
      ["POST", "/rotate-secret"],
      ["POST", "/test"],
      ["POST", "/deliveries/msg_1/retry"],
      ["POST", "/replay", { status: "failed" }],
    ];
    for (const [replyTopic, right] of [
      ["log", "log"],
      ["{topic}/reply", "x/+/reply"],
      ["{responseTopic}", "#"],
    ] as const) {
      it(`${replyTopic}: are changed and called only by keys that may publish there`, async () => {
        const { id } = (await test.api("POST", "/v1/webhooks", { ...HOOK, topics: ["x/1"], replyTopic })).body;
        const read = ["x/#"];
        const [may, mayNot] = [
          await test.make({ scopes: ["webhooks"], read, publish: [right] }),
          await test.make({ scopes: ["webhooks"], read, publish: ["x/1", "log/x"] }),
        ];
        const before = test.webhookRecords.stored.get(id);
        const needed = replyTopic === "{responseTopic}" ? "#" : replyTopic.replace("{topic}", "x/1");
        for (const [method, path, body] of calls) {
          const answer = await test.api(method, `/v1/webhooks/${id}${path}`, body, mayNot.key);
          assertForbidden(answer, body && "topics" in body ? needed.replace("1", "2") : needed, "replyTopic");
        }
        assert.deepEqual(test.webhookRecords.stored.get(id), before);
        for (const [method, path, body] of calls) {
          const answer = await test.api(method, `/v1/webhooks/${id}${path}`, body, may.key);
          assert.ok(answer.status < 300, `${method} ${path} ${answer.status} ${answer.text}`);
        }
      });
    }

    it("can be paused, set to publish nothing, and removed by any key that sees them", async () => {
      const { id } = (await test.api("POST", "/v1/webhooks", { ...HOOK, topics: ["x/1"], replyTopic: "log" })).body;
      const { key } = await test.make({ scopes: ["webhooks"], read: ["#"], publish: [] });
      const as = (method: string, path = "", body?: object) =>
        test.api(method, `/v1/webhooks/${id}${path}`, body, key).then(({ status }) => status);
      assert.equal(await as("GET"), 200);
      assert.equal(await as("POST", "/pause"), 200);
      assert.equal(await as("PATCH", "", { enabled: false }), 200);
      assert.equal(await as("POST", "/resume"), 403);
      assert.equal(await as("PATCH", "", { url: "https://other.example.com/", replyTopic: null }), 200);
      assert.equal(await as("POST", "/resume"), 200);
      assert.equal(await as("DELETE"), 204);
    });

    it("are not changed when another caller sets a reply topic at the same time", async () => {
      const { key } = await test.make({ scopes: ["webhooks"], read: ["#"], publish: [] });
      const { id } = (await register(["x"])).body;
      let isSet = false;
      test.webhookRecords.beforeReplace = async () => {
        if (isSet) return;
        isSet = true;
        await test.api("PATCH", `/v1/webhooks/${id}`, { replyTopic: "log" });
      };
      const answer = await test.api("PATCH", `/v1/webhooks/${id}`, { url: "https://example.org/" }, key);
      assertForbidden(answer, "log", "replyTopic");
      assert.equal((await test.api("GET", `/v1/webhooks/${id}`)).body.url, HOOK.url);
    });
  });

  for (const limit of [1, 2, 3, 4, 250]) {
    it(`that are visible to the key are listed without gaps, ${limit} a page`, async () => {
      const { key } = await test.make({ scopes: ["webhooks"], read: ["mine"] });
      const mine: string[] = [];
      // Long and short runs of own and other webhooks, at the start, in the middle and at the end.
      for (const who of "ooommomooooooommmmoomooooo") {
        const { id } = (await register([who === "m" ? "mine" : "others"])).body;
        if (who === "m") mine.push(id);
      }
      const seen: string[] = [];
      for (let after = ""; ; ) {
        const { body } = await test.api("GET", `/v1/webhooks?limit=${limit}${after}`, undefined, key);
        seen.push(...body.items.map(({ id }: { id: string }) => id));
        if (body.nextCursor === null) break;
        assert.equal(body.items.length, limit, "only the last page is shorter");
        after = `&after=${body.nextCursor}`;
      }
      assert.deepEqual(seen, mine);
      assert.equal((await test.api("GET", "/v1/webhooks?limit=250")).body.items.length, 26);
    });
  }

  it("that are all invisible to the key yield one empty page", async () => {
    const { key } = await test.make({ scopes: ["webhooks"], read: [] });
    for (let i = 0; i < 3; i++) await register(["a"]);
    const { body } = await test.api("GET", "/v1/webhooks?limit=2", undefined, key);
    assert.deepEqual(body, { items: [], nextCursor: null });
  });
});

describe("rate limits", () => {
  startForEach();

  const rateHeaders = ({ headers }: { headers: Record<string, string> }) => [
    headers["ratelimit-limit"],
    headers["ratelimit-remaining"],
    headers["ratelimit-reset"],
    headers["retry-after"],
  ];
  const status = (key: string) => test.api("GET", "/v1/status", undefined, key);

  it("are reported with every response, and end in 429 with the time to wait", async () => {
    const { key } = await test.make({ rateLimit: { max: 2, perSeconds: 60 } });
    const [one, two, three] = [await status(key), await status(key), await status(key)];
    assert.deepEqual([one.status, ...rateHeaders(one)], [200, "2", "1", "30", undefined]);
    assert.deepEqual([two.status, ...rateHeaders(two)], [200, "2", "0", "60", undefined]);
    assert.deepEqual(
      [three.status, three.body.code, ...rateHeaders(three)],
      [429, "rate_limited", "2", "0", "30", "30"],
    );
    test.clock.ms += 30_000;
    assert.deepEqual([(await status(key)).status, (await status(key)).status], [200, 429]);
  });

  it("count refused requests as well, and refuse before the body is read", async () => {
    const { key } = await test.make({ scopes: ["publish"], publish: ["a"], rateLimit: { max: 4, perSeconds: 60 } });
    const answers = [
      await status(key),
      await test.api("POST", "/v1/messages", { topic: "b" }, key),
      await test.api("GET", "/v1/nothing", undefined, key),
      await test.api("GET", "/v1/topics/%zz", undefined, key),
      await test.api("POST", "/v1/messages", "{not json", key, { "content-type": "application/json" }),
    ];
    assert.deepEqual(
      answers.map((answer) => [answer.status, answer.headers["ratelimit-remaining"]]),
      [
        [403, "3"],
        [403, "2"],
        [404, "1"],
        [400, "0"],
        [429, "0"],
      ],
    );
  });

  it("apply per key, and a key without one is not limited", async () => {
    const [one, two] = [
      await test.make({ rateLimit: { max: 1, perSeconds: 60 } }),
      await test.make({ rateLimit: { max: 1, perSeconds: 60 } }),
    ];
    const free = await test.make({});
    assert.deepEqual([(await status(one.key)).status, (await status(one.key)).status], [200, 429]);
    assert.equal((await status(two.key)).status, 200);
    for (const key of [free.key, "test-key"]) {
      const answer = await status(key);
      assert.deepEqual([answer.status, answer.headers["ratelimit-limit"]], [200, undefined]);
    }
  });

  it("do not count requests that need no key", async () => {
    const { key } = await test.make({ rateLimit: { max: 1, perSeconds: 60 } });
    for (let i = 0; i < 3; i++) assert.equal((await test.api("GET", "/healthz", undefined, key)).status, 200);
    assert.equal((await status(key)).status, 200);
  });

  it("refuse a repeated request too, and its stored response is available later", async () => {
    const { key } = await test.make({ rateLimit: { max: 1, perSeconds: 60 } });
    const send = () => test.api("POST", "/v1/messages", { topic: "a" }, key, { "idempotency-key": "k" });
    const [first, refused] = [await send(), await send()];
    test.clock.ms += 60_000;
    const again = await send();
    assert.deepEqual([first.status, refused.status, again.status, again.text], [200, 429, 200, first.text]);
    assert.equal(test.published.length, 1);
  });
});

describe("Idempotency-Key", () => {
  startForEach();

  it("the same Idempotency-Key is independent for each API key", async () => {
    const scopes: Scope[] = ["publish"];
    const [one, two] = [await test.make({ scopes }), await test.make({ scopes, publish: ["b"] })];
    const send = (topic: string, key: string) =>
      test.api("POST", "/v1/messages", { topic }, key, { "idempotency-key": "k" });
    assert.equal((await send("a", one.key)).status, 200);
    assertForbidden(await send("a", two.key), "a", "topic");
  });
});
