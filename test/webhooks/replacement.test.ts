/** Replacements: absent fields get their defaults, and a repetition changes nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { ROOT } from "../../src/keys/caller.ts";
import { MASK } from "../../src/webhooks/header-masking.ts";
import { DEFAULT_SCHEDULE_SECONDS, type Webhook, type WebhookInput } from "../../src/webhooks/webhook.ts";
import { serviceWith, URL } from "./service-support.ts";
import { callerWith, faultsOfAsync, granted, webhookWith } from "./support.ts";

const NAME = "acme";
const stored = (changes: Partial<Webhook> = {}) =>
  webhookWith({ externalId: NAME, url: URL, topics: ["a"], ...changes });
const put = (input: Partial<WebhookInput> = {}): WebhookInput => ({ url: URL, topics: ["a"], ...input });

describe("a put", () => {
  it("creates a webhook once, with its secret in the response", async () => {
    const { service, registry } = await serviceWith();
    const first = await granted(service.put(NAME, put(), ROOT));
    assert.deepEqual([first.created, first.registered.externalId, first.registered.secret], [true, NAME, "whsec_new"]);
    const second = await granted(service.put(NAME, put({ name: "N" }), ROOT));
    assert.deepEqual([second.created, second.registered.id, second.registered.name], [false, first.registered.id, "N"]);
    assert.equal(second.registered.secret, undefined);
    assert.equal(registry.size, 1);
  });

  it("creates one webhook, however many run at once", async () => {
    const { service, registry } = await serviceWith();
    const all = await Promise.all(Array.from({ length: 5 }, () => granted(service.put(NAME, put(), ROOT))));
    assert.equal(all.filter(({ created }) => created).length, 1);
    assert.deepEqual([registry.size, new Set(all.map(({ registered }) => registered.id)).size], [1, 1]);
  });

  it("gives absent fields their defaults", async () => {
    const { service, registry } = await serviceWith([
      stored({
        ...{ name: "N", enabled: false, qos: 2, mode: "binary", concurrency: 1, timeoutMs: 100, filter: "a" },
        ...{ transform: "b", replyTopic: "r", rateLimit: { max: 1, perSeconds: 1 }, events: ["delivery.failed"] },
        ...{ auth: { type: "bearer", token: "t" }, headers: { "x-key": "v" }, ordering: "topic", retained: "deliver" },
        verification: { state: "verified", at: "2026-01-01T00:00:00.000Z", origin: "o" },
      }),
    ]);
    await granted(service.put(NAME, put(), ROOT));
    const { updatedAt: _, ...after } = registry.get("wh_1")!;
    const { updatedAt: _before, ...expected } = stored({ retry: { scheduleSeconds: DEFAULT_SCHEDULE_SECONDS } });
    assert.deepEqual(after, expected);
  });

  const kept: [reason: string, current: Partial<Webhook>, input: Partial<WebhookInput>][] = [
    ["the secret, and the old one in its grace period", { oldSecret: { secret: "o", until: "2999-01-01" } }, {}],
    [
      "a rotation, if the secret is the current one",
      { oldSecret: { secret: "o", until: "2999" } },
      { secret: "whsec_old" },
    ],
    ["that the bridge disabled the webhook", { disabled: { at: "2026-01-01", reason: "410" } }, { enabled: true }],
    ["the receiver's consent", { verification: { state: "verified", at: "x", origin: "o" } }, { verify: true }],
    ["a check in progress", { verification: { state: "pending", at: "x", origin: "o", token: "t" } }, { verify: true }],
    ["masked header values", { headers: { "x-key": "v" } }, { headers: { "x-key": MASK } }],
    ["that retained messages were delivered", { retained: "deliver", snapshot: "done" }, { retained: "deliver" }],
  ];
  for (const [reason, current, input] of kept) {
    it(`keeps ${reason}`, async () => {
      const before = stored({ retry: { scheduleSeconds: DEFAULT_SCHEDULE_SECONDS }, ...current });
      const { service, registry, calls } = await serviceWith([before]);
      await granted(service.put(NAME, put(input), ROOT));
      assert.deepEqual({ ...registry.get("wh_1")!, updatedAt: before.updatedAt }, before);
      assert.ok(!calls.includes("reset health"), "the pause of a failing endpoint goes on");
    });
  }

  it("calls the receiver at once when the URL changes, and asks a new receiver", async () => {
    const { service, calls } = await serviceWith([
      stored({ verification: { state: "verified", at: "x", origin: "o" } }),
    ]);
    await granted(service.put(NAME, put({ url: "https://other.test/", verify: true }), ROOT));
    assert.ok(calls.includes("reset health") && calls.includes("ask wh_1"), calls.join());
  });

  const refused: [reason: string, current: Partial<Webhook>, input: Partial<WebhookInput>, ...faults: string[]][] = [
    ["a different external id", {}, { externalId: "other" }, "invalid_request", "externalId"],
    ["a topic that the key may not read", {}, { topics: ["b"] }, "forbidden_topic", "topics[0]"],
    ["a webhook that the key may not see", { topics: ["b"] }, {}, "conflict"],
    ["replies that the key may not publish", {}, { replyTopic: "r" }, "forbidden_topic", "replyTopic"],
    ["an address that must not be called", {}, { url: "https://internal/" }, "blocked_address", "url"],
    [
      "masked credentials for a new origin",
      { headers: { "x-key": "v" } },
      { url: "https://other.test/", headers: { "x-key": MASK } },
      ...["credentials_required", "headers.x-key"],
    ],
  ];
  for (const [reason, current, input, ...faults] of refused) {
    it(`refuses ${reason}`, async () => {
      const { service, registry } = await serviceWith([stored(current)]);
      const caller = callerWith({ read: ["a"], publish: [] });
      assert.deepEqual(await faultsOfAsync(() => service.put(NAME, put(input), caller)), faults);
      assert.deepEqual(registry.get("wh_1"), stored(current));
    });
  }

  it("removes credentials at a new origin that are not set again", async () => {
    const { service, registry } = await serviceWith([
      stored({ auth: { type: "bearer", token: "t" }, headers: { "x-key": "v" } }),
    ]);
    await granted(service.put(NAME, put({ url: "https://other.test/" }), ROOT));
    const { auth, headers } = registry.get("wh_1")!;
    assert.deepEqual([auth, headers], [undefined, {}]);
  });
});

describe("an external id", () => {
  it("cannot be taken twice", async () => {
    const { service, registry } = await serviceWith([stored()]);
    assert.deepEqual(await faultsOfAsync(() => service.create(put({ externalId: NAME }), ROOT)), ["conflict"]);
    assert.equal(registry.size, 1);
  });

  it("finds its webhook in the list, for a key that may see it", async () => {
    const { service } = await serviceWith([stored(), webhookWith({ id: "wh_2" })]);
    const listed = async (externalId: string, caller = ROOT) =>
      (await granted(service.list({ limit: 50, externalId }, caller))).items.map(({ id }) => id);
    assert.deepEqual(await listed(NAME), ["wh_1"]);
    assert.deepEqual(await listed("other"), []);
    assert.deepEqual(await listed(NAME, callerWith({ read: ["b"] })), []);
  });

  it("is free again after the removal", async () => {
    const { service } = await serviceWith();
    const { registered: webhook } = await granted(service.put(NAME, put(), ROOT));
    await granted(service.remove(webhook.id, ROOT));
    const again = await granted(service.create(put({ externalId: NAME }), ROOT));
    assert.notEqual(again.id, webhook.id);
  });
});
