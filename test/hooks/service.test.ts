/** Registrations of hooks over HTTP: fields, rights, secrets and lists. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, describe, it } from "node:test";
import type { Hook } from "../../src/hooks/hook.ts";
import { MAX_HOOKS } from "../../src/hooks/hook.ts";
import { startTestKeys, type TestKeys } from "../keys/support.ts";

const INPUT = { name: "lamp", topic: "lamps/{query.id}/set" };

let test: TestKeys;

async function create(input: object = {}, key?: string) {
  const { status, body } = await test.api("POST", "/v1/hooks", { ...INPUT, ...input }, key);
  assert.equal(status, 201, JSON.stringify(body));
  return body;
}

function startForEach(): void {
  beforeEach(async () => {
    test = await startTestKeys();
  });
  afterEach(() => test.close());
}

describe("a new hook", () => {
  startForEach();

  it("has the defaults, and a path with a random token", async () => {
    const { status, body, headers } = await test.api("POST", "/v1/hooks", INPUT);
    assert.equal(status, 201);
    const { id, path, createdAt, updatedAt, ...fields } = body;
    assert.deepEqual(fields, {
      ...INPUT,
      ...{ externalId: null, payload: null, qos: 1, retain: false, verify: { type: "none" }, methods: ["POST"] },
      ...{ durable: true, rateLimit: null, state: "active", stoppedReason: null, createdBy: "root" },
    });
    assert.match(id, /^hk_[0-9a-f-]{36}$/);
    assert.match(path, /^\/in\/[\w-]{43}$/);
    assert.equal(headers.location, `/v1/hooks/${id}`);
    assert.equal(createdAt, updatedAt);
    assert.notEqual((await create()).path, path);
    assert.deepEqual((await test.api("GET", `/v1/hooks/${id}`)).body, body);
  });

  it("never shows a secret, but the other fields of its verification", async () => {
    const needle = "bmVlZGxl";
    const cases: [verify: object, shown: object][] = [
      [{ type: "standard", secret: needle }, { type: "standard" }],
      [{ type: "github", secret: needle }, { type: "github" }],
      [
        { type: "hmac", secret: needle, header: "X-Sig" },
        { type: "hmac", header: "x-sig", algorithm: "sha256", encoding: "hex", prefix: "" },
      ],
      [
        { type: "basic", username: "u", password: needle },
        { type: "basic", username: "u" },
      ],
    ];
    for (const [verify, shown] of cases) {
      const created = await create({ verify });
      const { body: changed } = await test.api("PATCH", `/v1/hooks/${created.id}`, { name: "other" });
      const { body: read } = await test.api("GET", `/v1/hooks/${created.id}`);
      for (const body of [created, changed, read]) assert.deepEqual(body.verify, shown);
    }
    const { body } = await test.api("GET", "/v1/hooks");
    assert.ok(!JSON.stringify(body).includes(needle));
  });

  it("is refused at the limit", async () => {
    const { value } = [...test.hookRecords.stored.values()][0] ?? { value: {} as Hook };
    for (let i = 0; i < MAX_HOOKS; i++) {
      test.hookRecords.stored.set(`hk_${i}`, {
        id: `hk_${i}`,
        value: { ...value, id: `hk_${i}`, token: `${i}` },
        version: 1,
      });
    }
    const other = await startTestKeys(false, test.hookRecords);
    const { status, body } = await other.api("POST", "/v1/hooks", INPUT);
    await other.close();
    assert.deepEqual([status, body.code], [422, "too_many_hooks"]);
  });
});

describe("the fields of a hook", () => {
  before(async () => {
    test = await startTestKeys();
  });
  after(() => test.close());

  const refused: [reason: string, input: object, code: string, path: string][] = [
    ["a topic with a wildcard", { topic: "a/+" }, "invalid_topic", "topic"],
    ["a topic of the broker", { topic: "$SYS/x" }, "invalid_topic", "topic"],
    ["a topic with an open brace", { topic: "a/{b" }, "invalid_topic", "topic"],
    ["a topic with broken JSONata", { topic: "a/{b +}" }, "invalid_request", "topic"],
    ["a topic whose expressions are valid only together", { topic: "a/{(b}/{c)}" }, "invalid_request", "topic"],
    ["a payload that leaves its parentheses", { payload: "1) & (2" }, "invalid_request", "payload"],
    ["a payload with an open comment", { payload: "1 /* " }, "invalid_request", "payload"],
    ["no method", { methods: [] }, "invalid_request", "methods"],
    ["an unknown method", { methods: ["HEAD"] }, "invalid_request", "methods[0]"],
    ["an unknown field", { url: "x" }, "invalid_request", "url"],
    ["a verification without its secret", { verify: { type: "github" } }, "invalid_request", "verify.secret"],
    ["an empty secret", { verify: { type: "github", secret: "" } }, "invalid_request", "verify.secret"],
    [
      "a secret that is no base64",
      { verify: { type: "standard", secret: "whsec_!" } },
      "invalid_request",
      "verify.secret",
    ],
    ["an HMAC without header", { verify: { type: "hmac", secret: "s" } }, "invalid_request", "verify.header"],
    ["a field of another type", { verify: { type: "none", secret: "s" } }, "invalid_request", "verify.secret"],
    [
      "a user name with a colon",
      { verify: { type: "basic", username: "a:b", password: "p" } },
      "invalid_request",
      "verify.username",
    ],
  ];
  for (const [reason, input, code, path] of refused)
    it(`are refused: ${reason}`, async () => {
      const created = await create();
      for (const [method, url, all] of [
        ["POST", "/v1/hooks", { ...INPUT, ...input }],
        ["PATCH", `/v1/hooks/${created.id}`, input],
      ] as const) {
        const { status, body } = await test.api(method, url, all);
        assert.deepEqual([status, body.code, body.errors?.[0]?.path], [400, code, path], method);
      }
      assert.deepEqual((await test.api("GET", `/v1/hooks/${created.id}`)).body, created);
    });

  it("change one by one, and null removes the optional ones", async () => {
    const { id, path } = await create({ payload: "body", rateLimit: { max: 1, perSeconds: 1 } });
    const patch = { name: "n", topic: "a/b", payload: null, rateLimit: null, methods: ["PUT", "PUT"], qos: 0 };
    const { status, body } = await test.api("PATCH", `/v1/hooks/${id}`, patch);
    assert.equal(status, 200);
    assert.deepEqual(
      [body.name, body.topic, body.payload, body.rateLimit, body.methods, body.qos, body.path],
      ["n", "a/b", null, null, ["PUT"], 0, path],
    );
  });
});

describe("the rights of a hook", () => {
  startForEach();

  it("are those of the key that creates it: all its topics must be within the key's filters", async () => {
    const { key } = await test.make({ scopes: ["publish"], publish: ["lamps/+/set", "doors/#"] });
    for (const topic of ["lamps/7/set", "lamps/{query.id}/set", "lamps/x{query.id}/set", "doors/{query.a}/{query.b}"])
      await create({ topic }, key);
    for (const topic of ["lamps/{query.id}", "lamps/7/{query.id}", "{query.id}/7/set", "other", "lamps/{a}/set/x"]) {
      const { status, body } = await test.api("POST", "/v1/hooks", { ...INPUT, topic }, key);
      assert.deepEqual([status, body.code, body.errors[0].path], [403, "forbidden_topic", "topic"], topic);
    }
  });

  it("let a key see and change its own hooks only, and admin all", async () => {
    const [one, other] = [await test.make({ scopes: ["publish"] }), await test.make({ scopes: ["publish"] })];
    const admin = await test.make({ scopes: ["admin"], publish: [] });
    const { id } = await create({}, one.key);
    await create({}, other.key);
    for (const [method, body] of [["GET"], ["PATCH", { name: "x" }], ["DELETE"]] as const) {
      const refusal = await test.api(method, `/v1/hooks/${id}`, body, other.key);
      assert.deepEqual([refusal.status, refusal.body.code], [404, "not_found"]);
    }
    assert.equal((await test.api("GET", "/v1/hooks", undefined, one.key)).body.items.length, 1);
    assert.equal((await test.api("GET", "/v1/hooks", undefined, admin.key)).body.items.length, 2);
    assert.equal((await test.api("PATCH", `/v1/hooks/${id}`, { name: "x" }, admin.key)).body.createdBy, one.id);
    assert.equal((await test.api("DELETE", `/v1/hooks/${id}`, undefined, admin.key)).status, 204);
    assert.equal((await test.api("GET", `/v1/hooks/${id}`, undefined, one.key)).status, 404);
  });

  it("stay those of its creator when admin changes the topic", async () => {
    const { key, id: keyId } = await test.make({ scopes: ["publish"], publish: ["lamps/#"] });
    const { id } = await create({}, key);
    const { status, body } = await test.api("PATCH", `/v1/hooks/${id}`, { topic: "doors/1" });
    assert.deepEqual([status, body.code], [403, "forbidden_topic"]);
    assert.ok(body.detail.includes(keyId), body.detail);
  });

  it("end with the key, which its state explains", async () => {
    const { key, id: keyId } = await test.make({ scopes: ["publish"] });
    const { id, path } = await create({}, key);
    await test.api("DELETE", `/v1/keys/${keyId}`);
    const { body } = await test.api("GET", `/v1/hooks/${id}`);
    assert.deepEqual([body.state, body.path], ["stopped", path]);
    assert.match(body.stoppedReason, /withdrawn/);
  });
});

describe("the list of hooks", () => {
  startForEach();

  it("has pages without the hooks of others", async () => {
    const { key } = await test.make({ scopes: ["publish"] });
    const own: string[] = [];
    for (let i = 0; i < 5; i++) {
      own.push((await create({}, key)).id);
      await create();
    }
    const found: string[] = [];
    for (let after = ""; ; ) {
      const { body } = await test.api("GET", `/v1/hooks?limit=2${after}`, undefined, key);
      found.push(...body.items.map(({ id }: { id: string }) => id));
      if (body.nextCursor === null) break;
      after = `&after=${body.nextCursor}`;
    }
    assert.deepEqual(found, own.sort());
    assert.equal((await test.api("GET", "/v1/hooks?after=x")).status, 400);
  });
});

describe("a hook with an external id", () => {
  startForEach();
  const put = (input: object, key?: string, externalId = "acme:1") =>
    test.api("PUT", `/v1/hooks/external/${externalId}`, input, key);

  it("is created, then replaced with defaults; its id, path and creator stay", async () => {
    const { key, id: keyId } = await test.make({ scopes: ["publish"] });
    const verify = { type: "github", secret: "s" };
    const more = { payload: "body", qos: 0, retain: true, verify, methods: ["PUT"], durable: false };
    const first = await put({ ...INPUT, ...more, rateLimit: { max: 1, perSeconds: 1 } }, key);
    assert.deepEqual([first.status, first.body.externalId, first.body.createdBy], [201, "acme:1", keyId]);
    assert.equal(first.headers.location, `/v1/hooks/${first.body.id}`);

    const second = await put({ name: "other", topic: "a/b" });
    assert.deepEqual([second.status, second.headers.location], [200, undefined]);
    const { updatedAt: _, ...fields } = second.body;
    const { id, path, createdAt, externalId, createdBy } = first.body;
    assert.deepEqual(fields, {
      ...{ id, path, createdAt, externalId, createdBy, name: "other", topic: "a/b", payload: null, qos: 1 },
      ...{ retain: false, verify: { type: "none" }, methods: ["POST"], durable: true, rateLimit: null },
      ...{ state: "active", stoppedReason: null },
    });
    assert.equal((await test.api("GET", "/v1/hooks")).body.items.length, 1);
  });

  it("is one, however often it is created at the same time", async () => {
    const all = await Promise.all(Array.from({ length: 8 }, () => put(INPUT)));
    assert.deepEqual(all.map(({ status }) => status).sort(), [...Array(7).fill(200), 201]);
    assert.equal(new Set(all.map(({ body }) => body.path)).size, 1);
  });

  it("keeps others from its external id until it is removed", async () => {
    const { key } = await test.make({ scopes: ["publish"] });
    const { id } = await create({ externalId: "acme:1" });
    const taken = [await test.api("POST", "/v1/hooks", { ...INPUT, externalId: "acme:1" }), await put(INPUT, key)];
    for (const { status, body } of taken) assert.deepEqual([status, body.code], [409, "conflict"]);
    assert.equal((await test.api("DELETE", `/v1/hooks/${id}`)).status, 204);
    const { status, body } = await put(INPUT, key);
    assert.equal(status, 201);
    assert.notEqual(body.id, id);
  });

  it("refuses what its creation and a change refuse, and never changes its name", async () => {
    const { key } = await test.make({ scopes: ["publish"], publish: ["lamps/#"] });
    const { id } = (await put(INPUT, key)).body;
    const rows: [input: object, externalId: string, status: number, path: string][] = [
      [{ ...INPUT, topic: "doors/1" }, "acme:1", 403, "topic"],
      [{ ...INPUT, topic: "doors/1" }, "acme:2", 403, "topic"],
      [{ ...INPUT, verify: { type: "github" } }, "acme:1", 400, "verify.secret"],
      [{ ...INPUT, externalId: "acme:2" }, "acme:1", 400, "externalId"],
      [INPUT, "-", 400, "path.externalId"],
      [{ topic: "a" }, "acme:1", 400, "name"],
    ];
    for (const [input, externalId, status, path] of rows) {
      const refused = await put(input, key, externalId);
      assert.deepEqual([refused.status, refused.body.errors?.[0].path], [status, path]);
    }
    const patch = await test.api("PATCH", `/v1/hooks/${id}`, { externalId: "b" });
    assert.deepEqual([patch.status, patch.body.errors?.[0].path], [400, "externalId"]);
  });
});
