/** Differences between configuration documents and the bridge. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Hook, Key, Webhook } from "../../src/client/index.ts";
import { changesOf } from "../../src/configuration/changes.ts";
import type { ConfigurationDocument, Fields } from "../../src/configuration/documents.ts";
import { HOOK_DEFAULTS, WEBHOOK_DEFAULTS } from "../../src/configuration/fields.ts";
import { newHook } from "../../src/hooks/hook.ts";
import { DEFAULTS } from "../../src/webhooks/webhook.ts";

const MASK = "********";
const shown = (fields: Fields = {}) =>
  ({
    ...WEBHOOK_DEFAULTS,
    ...{ id: "wh_1", externalId: "one", url: "https://example.com/", topics: ["a/#"], state: "active", counts: {} },
    ...fields,
  }) as unknown as Webhook;
const wanted = (fields: Fields = {}): ConfigurationDocument => ({
  kind: "Webhook",
  identity: "one",
  fields: { externalId: "one", url: "https://example.com/", topics: ["a/#"], ...fields },
});
const basic = { type: "basic", username: "u" };

describe("the changes of a webhook", () => {
  const rows: [title: string, current: Fields, document: Fields, input: Fields | undefined][] = [
    ["none if absent fields have their defaults", {}, {}, undefined],
    ["none if given fields equal the defaults", {}, { concurrency: 10, events: [] }, undefined],
    [
      "none if the rest has its defaults",
      { batch: { maxSize: 9, maxWaitMs: 1_000 } },
      { batch: { maxSize: 9 } },
      undefined,
    ],
    ["none for a topic that is given twice", {}, { topics: ["a/#", "a/#"] }, undefined],
    ["a changed field", {}, { topics: ["b/#"] }, { topics: ["b/#"] }],
    ["a field set back to its default", { concurrency: 3 }, {}, { concurrency: 10 }],
    ["a removed field", { filter: "true" }, {}, { filter: null }],
    ["a removed name", { name: "One" }, {}, { name: null }],
    ["none for a secret, which cannot be compared", {}, { secret: "whsec_x" }, undefined],
    ["a secret beside another change", {}, { secret: "whsec_x", qos: 2 }, { secret: "whsec_x", qos: 2 }],
    ["none for credentials", { auth: basic }, { auth: { ...basic, password: "p" } }, undefined],
    ["none without credentials", { auth: basic }, { auth: basic }, undefined],
    ["another user", { auth: basic }, { auth: { ...basic, username: "v" } }, { auth: { ...basic, username: "v" } }],
    ["no auth any more", { auth: basic }, {}, { auth: null }],
    ["none for a masked header", { headers: { "X-Key": MASK } }, { headers: { "X-Key": "k" } }, undefined],
    ["none for its mask", { headers: { "X-Key": MASK } }, { headers: { "X-Key": MASK } }, undefined],
    ["another header", { headers: { A: "1" } }, { headers: { A: "2" } }, { headers: { A: "2" } }],
    ["no headers any more", { headers: { A: "1" } }, {}, { headers: {} }],
    [
      "a header of the name of a method",
      { headers: {} },
      { headers: { constructor: "1" } },
      { headers: { constructor: "1" } },
    ],
    ["a check that is to begin", {}, { verify: true }, { verify: true }],
    ["none for a check that was made", { verification: { state: "verified" } }, { verify: true }, undefined],
    ["a check that is to end", { verification: { state: "pending" } }, {}, { verify: false }],
    ["a field that the bridge does not know", {}, { unknown: 1 }, { unknown: 1 }],
  ];
  for (const [title, current, document, input] of rows) {
    it(`are ${title}`, () => {
      const changes = changesOf([wanted(document)], { webhooks: [shown(current)], hooks: [], keys: [] });
      assert.deepEqual(
        changes.map((change) => [change.action, change.id, change.input]),
        input === undefined ? [] : [["update", "wh_1", input]],
      );
      assert.ok(!JSON.stringify(changes.map(({ fields }) => fields)).match(/whsec_x|"p"/));
    });
  }

  it("set secrets again if that is wished", () => {
    const document = wanted({
      secret: "whsec_x",
      auth: { ...basic, password: "p" },
      headers: { "X-Key": "k", A: "1" },
    });
    const webhooks = [shown({ auth: basic, headers: { "X-Key": MASK, A: "1" } })];
    const [change] = changesOf([document], { webhooks, hooks: [], keys: [] }, { setSecrets: true });
    const { secret, auth, headers } = document.fields;
    assert.deepEqual(change!.input, { secret, auth, headers });
    assert.deepEqual(change!.fields, { secret: {}, auth: {}, headers: {} });
  });

  it("are found by the id of a webhook without a name of its own", () => {
    const document: ConfigurationDocument = { ...wanted(), identity: "wh_1" };
    document.fields = { id: "wh_1", url: "https://example.com/", topics: ["b"] };
    const [change] = changesOf([document], { webhooks: [shown({ externalId: undefined })], hooks: [], keys: [] });
    assert.deepEqual(change!.input, { topics: ["b"] });
  });

  it("are a creation if there is none, and deletions of what has no document", () => {
    const others = [shown({ id: "wh_2", externalId: "two" }), shown({ id: "wh_3", externalId: undefined })];
    const changes = changesOf([wanted()], { webhooks: others, hooks: [], keys: [] }, { prune: true });
    assert.deepEqual(
      changes.map(({ action, identity }) => [action, identity]),
      [
        ["create", "one"],
        ["delete", "two"],
      ],
    );
    assert.equal(changesOf([wanted()], { webhooks: others, hooks: [], keys: [] }).length, 1);
  });

  it("assume the defaults of the bridge", () => {
    for (const [name, value] of Object.entries(DEFAULTS)) assert.deepEqual(WEBHOOK_DEFAULTS[name], value, name);
  });
});

describe("the changes of a hook", () => {
  const verify = { type: "hmac", header: "x-sig", algorithm: "sha256", encoding: "hex", prefix: "" };
  const current = (fields: Fields = {}) =>
    ({
      ...{ ...HOOK_DEFAULTS, id: "hk_1", externalId: "one", name: "h", topic: "a/{query.id}" },
      ...{ payload: null, rateLimit: null, path: "/in/x", state: "active", ...fields },
    }) as unknown as Hook;
  const hookDocument = (fields: Fields = {}): ConfigurationDocument => ({
    kind: "Hook",
    identity: "one",
    fields: { externalId: "one", name: "h", topic: "a/{query.id}", ...fields },
  });
  const rows: [title: string, current: Fields, document: Fields, input: Fields | undefined][] = [
    ["none if absent fields have their defaults", {}, {}, undefined],
    ["none if given fields equal the defaults", {}, { ...HOOK_DEFAULTS }, undefined],
    ["a changed topic", {}, { topic: "b" }, { topic: "b" }],
    ["a removed payload and rate limit", { payload: "body", rateLimit: {} }, {}, { payload: null, rateLimit: null }],
    ["a field set back to its default", { durable: false }, {}, { durable: true }],
    ["no verification any more", { verify }, {}, { verify: { type: "none" } }],
    ["none for a secret", { verify }, { verify: { ...verify, secret: "p" } }, undefined],
    ["none without the secret", { verify }, { verify }, undefined],
    [
      "none for the defaults of HMAC",
      { verify },
      { verify: { type: "hmac", header: "X-Sig", secret: "p" } },
      undefined,
    ],
    [
      "a secret beside another change",
      { verify: { type: "github" } },
      { verify: { type: "github", secret: "p" }, qos: 2 },
      { verify: { type: "github", secret: "p" }, qos: 2 },
    ],
    [
      "another verification, with its secret",
      { verify: { type: "github" } },
      { verify: { type: "basic", username: "u", password: "p" } },
      { verify: { type: "basic", username: "u", password: "p" } },
    ],
  ];
  for (const [title, now, document, input] of rows) {
    it(`are ${title}`, () => {
      const hooks = [current(now)];
      const changes = changesOf([hookDocument(document)], { webhooks: [], hooks, keys: [] });
      assert.deepEqual(
        changes.map((change) => [change.kind, change.action, change.id, change.input]),
        input === undefined ? [] : [["Hook", "update", "hk_1", input]],
      );
      assert.ok(!JSON.stringify(changes.map(({ fields }) => fields)).includes('"p"'));
    });
  }

  it("are deletions of hooks with an external id but no document; a webhook of the same name is another", () => {
    const hooks = [current({ id: "hk_2", externalId: "two" }), current({ id: "hk_3", externalId: null })];
    const changes = changesOf([hookDocument(), wanted()], { webhooks: [shown()], hooks, keys: [] }, { prune: true });
    assert.deepEqual(
      changes.map(({ kind, action, identity, id }) => [kind, action, identity, id]),
      [
        ["Hook", "create", "one", undefined],
        ["Hook", "delete", "two", "hk_2"],
      ],
    );
  });

  it("assume the defaults of the bridge", () => {
    const hook = newHook({ name: "h", topic: "a" }, { type: "none" }, "root", new Date()) as unknown as Fields;
    for (const [name, value] of Object.entries(HOOK_DEFAULTS)) assert.deepEqual(value, hook[name], name);
  });
});

describe("the changes of a key", () => {
  const key = {
    ...{ id: "key_1", name: "k", scopes: ["read"], publish: [], read: ["a/#"], rateLimit: null, expiresAt: null },
    ...{ createdAt: "", lastUsedAt: null },
  } as unknown as Key;
  const document = (fields: Fields): ConfigurationDocument => ({ kind: "Key", identity: "k", fields });

  it("are none if its rights are the same", () => {
    const same = document({ name: "k", scopes: ["read"], read: ["a/#"] });
    assert.deepEqual(changesOf([same], { webhooks: [], hooks: [], keys: [key] }), []);
  });

  it("are none for another way to write its end", () => {
    const same = document({ name: "k", scopes: ["read"], read: ["a/#"], expiresAt: "2030-01-01T01:00:00+01:00" });
    const ending = { ...key, expiresAt: "2030-01-01T00:00:00.000Z" } as Key;
    assert.deepEqual(changesOf([same], { webhooks: [], hooks: [], keys: [ending] }), []);
  });

  it("conflict if they differ, because a key cannot be changed", () => {
    const [change] = changesOf([document({ name: "k", scopes: ["read"], read: ["b"] })], {
      webhooks: [],
      hooks: [],
      keys: [key],
    });
    assert.deepEqual([change!.action, change!.fields], ["conflict", { read: { from: ["a/#"], to: ["b"] } }]);
  });
});
