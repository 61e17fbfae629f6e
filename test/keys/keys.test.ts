/** Keys over HTTP: accepted input, shown properties and hidden ones. */
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { afterEach, beforeEach, describe, it } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import { MAX_KEYS } from "../../src/keys/key.ts";
import { startKeys, startTestKeys, type TestKeys } from "./support.ts";

const INPUT = { name: "site-1", scopes: ["publish", "read"] as const };

describe("keys", () => {
  let test: TestKeys;
  beforeEach(async () => {
    test = await startTestKeys();
  });
  afterEach(() => test.close());

  const create = (input: object) => test.api("POST", "/v1/keys", input);
  const statusWith = async (key: string) => (await test.api("GET", "/v1/status", undefined, key)).status;

  describe("POST /v1/keys", () => {
    it("makes a key that is shown only in this response", async () => {
      const { status, body, headers } = await create({
        ...INPUT,
        publish: ["{keyName}/+/commands", "site-1/+/commands", "x"],
        read: ["{keyName}/#"],
        rateLimit: { max: 100, perSeconds: 1 },
        expiresAt: "2027-01-01T01:00:00.5+01:00",
      });
      assert.equal(status, 201);
      const { id, key, ...rest } = body;
      assert.match(id, /^key_[0-9a-f-]{36}$/);
      assert.match(key, /^cw_[A-Za-z0-9_-]{43}$/);
      assert.equal(headers.location, `/v1/keys/${id}`);
      assert.deepEqual(rest, {
        name: "site-1",
        scopes: ["publish", "read"],
        publish: ["site-1/+/commands", "x"],
        read: ["site-1/#"],
        rateLimit: { max: 100, perSeconds: 1 },
        expiresAt: "2027-01-01T00:00:00.500Z",
        createdAt: "2026-03-01T12:00:00.000Z",
        lastUsedAt: null,
      });
    });

    it("sets no filters, limit or expiry by default, and never repeats a key", async () => {
      const [one, two] = [(await create(INPUT)).body, (await create(INPUT)).body];
      const { publish, read, rateLimit, expiresAt } = one;
      assert.deepEqual(
        { publish, read, rateLimit, expiresAt },
        { publish: [], read: [], rateLimit: null, expiresAt: null },
      );
      assert.notEqual(one.key, two.key);
      assert.notEqual(one.id, two.id);
    });

    it("stores the hash and nothing that reveals the key", async () => {
      const { body } = await create(INPUT);
      const [stored] = await test.records.all();
      assert.equal(stored!.value.hash, createHash("sha256").update(body.key).digest("base64url"));
      assert.ok(!JSON.stringify(stored).includes(body.key.slice(3)));
    });

    it("inserts the name into the filters unchanged", async () => {
      const { body } = await create({ ...INPUT, name: "$& {keyName} é", publish: ["a/{keyName}/{keyName}"] });
      assert.deepEqual(body.publish, ["a/$& {keyName} é/$& {keyName} é"]);
    });

    for (const name of ["a/b", "+", "#", "a+b", "a#b", "a\u0000b"]) {
      it(`refuses the name ${JSON.stringify(name)} combined with {keyName}, in publish and read, and accepts it otherwise`, async () => {
        for (const filters of [{ publish: ["x", "{keyName}/#"] }, { read: ["{keyName}"] }]) {
          const { status, body } = await create({ ...INPUT, name, ...filters });
          assert.deepEqual([status, body.code, body.errors[0].path], [400, "invalid_request", "name"]);
        }
        assert.equal((await create({ ...INPUT, name, publish: ["keyName/#"] })).status, 201);
      });
    }

    const refused: [what: string, input: object, code: string, paths: string[]][] = [
      [
        "filters",
        { publish: ["a", "a#"], read: ["+a", ""] },
        "invalid_topic_filter",
        ["publish[1]", "read[0]", "read[1]"],
      ],
      ["a shared subscription", { read: ["$share/g/a"] }, "invalid_topic_filter", ["read[0]"]],
      ["a name that makes one", { name: "$share", read: ["{keyName}/g/a"] }, "invalid_topic_filter", ["read[0]"]],
      ["no name", { name: undefined }, "invalid_request", ["name"]],
      ["an empty name", { name: "" }, "invalid_request", ["name"]],
      ["half a character", { name: "\ud800" }, "invalid_request", ["name"]],
      ["no scopes", { scopes: [] }, "invalid_request", ["scopes"]],
      ["unknown scopes", { scopes: ["publish", "root"] }, "invalid_request", ["scopes[1]"]],
      ["an end that is past", { expiresAt: "2026-03-01T11:59:59.999Z" }, "invalid_request", ["expiresAt"]],
      ["an end that is now", { expiresAt: "2026-03-01T12:00:00Z" }, "invalid_request", ["expiresAt"]],
      ["an end without a zone", { expiresAt: "2027-01-01T00:00:00" }, "invalid_request", ["expiresAt"]],
      ["a date that is none", { expiresAt: "2027-02-30T00:00:00Z" }, "invalid_request", ["expiresAt"]],
      ["a limit of nothing", { rateLimit: { max: 0, perSeconds: 1 } }, "invalid_request", ["rateLimit.max"]],
      ["half a limit", { rateLimit: { max: 1 } }, "invalid_request", ["rateLimit.perSeconds"]],
      ["unknown fields", { key: "cw_mine" }, "invalid_request", ["key"]],
    ];
    for (const [what, input, code, paths] of refused) {
      it(`refuses ${what}`, async () => {
        const { status, body } = await create({ ...INPUT, ...input });
        assert.deepEqual([status, body.code, body.errors.map((one: { path: string }) => one.path)], [400, code, paths]);
        assert.equal(test.records.stored.size, 0);
      });
    }

    it("refuses keys above the limit", async () => {
      const { body } = await create(INPUT);
      const { value } = (await test.records.get(body.id))!;
      // Created by another instance and then announced here.
      for (let i = 2; i < MAX_KEYS; i++)
        await test.records.create(`key_${i}`, { ...value, id: `key_${i}`, hash: `${i}` });
      await turn();
      assert.equal((await create(INPUT)).status, 201);
      const refusal = await create(INPUT);
      assert.deepEqual([refusal.status, refusal.body.code], [422, "too_many_keys"]);
      await test.api("DELETE", `/v1/keys/${body.id}`);
      assert.equal((await create(INPUT)).status, 201);
    });
  });

  describe("GET /v1/keys", () => {
    it("lists pages in order of creation, without keys and hashes", async () => {
      const made: string[] = [];
      for (let i = 0; i < 5; i++) made.push((await create({ ...INPUT, name: `n${i}` })).body.id);
      const seen: string[] = [];
      let after = "";
      for (const size of [2, 2, 1]) {
        const { body } = await test.api("GET", `/v1/keys?limit=2${after}`);
        assert.equal(body.items.length, size);
        seen.push(...body.items.map(({ id }: { id: string }) => id));
        after = `&after=${body.nextCursor}`;
        assert.equal(body.nextCursor === null, size === 1);
      }
      assert.deepEqual(seen, made);
      const { text, body } = await test.api("GET", "/v1/keys");
      assert.deepEqual(Object.keys(body.items[0]).sort(), [
        "createdAt",
        "expiresAt",
        "id",
        "lastUsedAt",
        "name",
        "publish",
        "rateLimit",
        "read",
        "scopes",
      ]);
      for (const { value } of test.records.stored.values()) assert.ok(!text.includes(value.hash));
    });

    it("refuses a cursor of another list", async () => {
      const after = Buffer.from("wh_019a3c60-1b2f-7e53-8a4e-3b7a8c1f2d90").toString("base64url");
      const { status, body } = await test.api("GET", `/v1/keys?after=${after}`);
      assert.deepEqual([status, body.errors[0].path], [400, "query.after"]);
    });
  });

  describe("DELETE /v1/keys/{id}", () => {
    it("revokes the key at once, and only this one", async () => {
      const [one, two] = [await test.make({}), await test.make({})];
      assert.equal(await statusWith(one.key), 200);
      assert.equal((await test.api("DELETE", `/v1/keys/${one.id}`)).status, 204);
      assert.deepEqual([await statusWith(one.key), await statusWith(two.key)], [401, 200]);
      const again = await test.api("DELETE", `/v1/keys/${one.id}`);
      assert.deepEqual([again.status, again.body.code], [404, "not_found"]);
    });

    it("revokes it even if an earlier read completes later", async () => {
      const { id, key } = await test.make({});
      const late = structuredClone(test.records.stored.get(id));
      const { get } = test.records;
      test.records.get = async (one) => (one === id ? late : get.call(test.records, one));
      await test.api("DELETE", `/v1/keys/${id}`);
      for (let i = 0; i < 5; i++) await turn();
      assert.equal(await statusWith(key), 401);
    });
  });

  describe("a valid key", () => {
    it("is accepted until its expiry, and not at its expiry", async () => {
      const { key } = await test.make({ expiresAt: "2026-03-01T12:01:00Z" });
      test.clock.ms = Date.parse("2026-03-01T12:00:59.999Z");
      assert.equal(await statusWith(key), 200);
      test.clock.ms += 1;
      const { status, body, headers } = await test.api("GET", "/v1/status", undefined, key);
      assert.deepEqual([status, body.code, headers["www-authenticate"]], [401, "unauthorized", "Bearer"]);
    });

    it("is accepted only as its complete text", async () => {
      const { id, key } = await test.make({});
      const { hash } = (await test.records.get(id))!.value;
      const other = key.endsWith("A") ? "B" : "A";
      for (const wrong of [
        id,
        hash,
        `cw_${hash}`,
        key.slice(0, -1),
        `${key}A`,
        key.slice(0, -1) + other,
        key.toUpperCase(),
      ])
        assert.equal(await statusWith(wrong), 401, wrong);
    });

    it("is known to every instance that shares the store, from creation to removal", async () => {
      const elsewhere = await startKeys(test.records, test.clock);
      const { id, key } = await test.make({});
      await turn();
      await turn();
      assert.equal(elsewhere.keys.authenticate(key)?.id, id);
      await test.api("DELETE", `/v1/keys/${id}`);
      await turn();
      await turn();
      assert.equal(elsewhere.keys.authenticate(key), undefined);
      await elsewhere.view.stop();
    });

    it("is checked without access to the store", async () => {
      const { key } = await test.make({});
      await statusWith(key);
      test.records.broken = true;
      test.clock.ms += 3_600_000;
      assert.equal(await statusWith(key), 200);
      assert.equal(await statusWith(`cw_${"A".repeat(43)}`), 401);
    });
  });

  describe("lastUsedAt", () => {
    const lastUsedAt = async () => (await test.api("GET", "/v1/keys")).body.items[0].lastUsedAt;

    it("is written once a minute, however often the key is used", async () => {
      const { key } = await test.make({});
      assert.equal(await lastUsedAt(), null);
      for (let i = 0; i < 5; i++) {
        await statusWith(key);
        test.clock.ms += 10_000;
      }
      await turn();
      assert.deepEqual([test.records.writes, await lastUsedAt()], [2, "2026-03-01T12:00:00.000Z"]);
      test.clock.ms += 10_000;
      await statusWith(key);
      await turn();
      assert.deepEqual([test.records.writes, await lastUsedAt()], [3, "2026-03-01T12:01:00.000Z"]);
    });

    it("is written once a minute by all instances together", async () => {
      const { key } = await test.make({});
      const elsewhere = await startKeys(test.records, test.clock);
      // Both requests run before either instance learns of the other's write.
      assert.ok(test.keys.authenticate(key) && elsewhere.keys.authenticate(key));
      for (let i = 0; i < 5; i++) await turn();
      assert.equal(test.records.writes, 2);
      test.clock.ms += 30_000;
      assert.ok(elsewhere.keys.authenticate(key));
      await turn();
      assert.equal(test.records.writes, 2);
      await elsewhere.view.stop();
    });

    it("neither fails nor delays a request while the store is away, and is written later", async () => {
      const { key } = await test.make({});
      test.records.broken = true;
      assert.equal(await statusWith(key), 200);
      test.records.broken = false;
      test.clock.ms += 60_000;
      let resolve = () => {};
      const slow = new Promise<void>((done) => (resolve = done));
      test.records.beforeReplace = () => slow;
      assert.equal(await statusWith(key), 200);
      resolve();
      await turn();
      assert.equal(await lastUsedAt(), "2026-03-01T12:01:00.000Z");
    });

    it("is retried once a minute while the store is away, not at every use", async () => {
      const { key } = await test.make({});
      await turn();
      test.records.broken = true;
      const before = test.records.reads;
      for (let i = 0; i < 5; i++) assert.ok(test.keys.authenticate(key));
      await turn();
      assert.equal(test.records.reads - before, 1);
    });

    it("does not restore a key that is removed at the same time", async () => {
      const { id, key } = await test.make({});
      let removed = false;
      test.records.beforeReplace = async () => {
        if (!removed) await test.api("DELETE", `/v1/keys/${id}`);
        removed = true;
      };
      assert.equal(await statusWith(key), 200);
      while (!removed) await turn();
      for (let i = 0; i < 5; i++) await turn();
      assert.equal(test.records.stored.size, 0);
      assert.equal(await statusWith(key), 401);
    });

    it("does not reset the rate limit", async () => {
      const { key } = await test.make({ rateLimit: { max: 2, perSeconds: 3600 } });
      await statusWith(key);
      await turn();
      await turn();
      assert.equal(test.records.writes, 2);
      assert.deepEqual([await statusWith(key), await statusWith(key)], [200, 429]);
    });
  });

  it("keys and hashes appear neither in the log, nor in errors, nor in a stored response for an Idempotency-Key", async () => {
    const once = { "idempotency-key": "k" };
    const { body } = await test.api("POST", "/v1/keys", { ...INPUT, publish: ["a"] }, undefined, once);
    const replayed = await test.api("POST", "/v1/keys", { ...INPUT, publish: ["a"] }, undefined, once);
    assert.equal(replayed.body.key, body.key);
    const { hash } = (await test.records.get(body.id))!.value;
    const answers = [
      await test.api("GET", "/v1/status", undefined, body.key),
      await test.api("POST", "/v1/messages", { topic: "b" }, body.key),
      await test.api("GET", `/v1/nothing/${body.id}`, undefined, body.key),
      await test.api("GET", "/v1/keys"),
    ];
    assert.deepEqual(
      answers.map(({ status }) => status),
      [403, 403, 404, 200],
    );
    test.records.broken = true;
    answers.push(await test.api("GET", "/v1/keys"));
    assert.ok(test.logged.length > 0);
    const kept = [...test.expiringKeys.entries.values()].map(({ value }) => value);
    for (const text of [...answers.map(({ text }) => text), ...test.logged, ...kept]) {
      assert.ok(!text.includes(body.key) && !text.includes(hash), text);
    }
  });
});
