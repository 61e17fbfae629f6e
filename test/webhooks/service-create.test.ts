/** Registrations: the defaults, the refusals, and the calls of other parts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Caller, ROOT } from "../../src/keys/caller.ts";
import { MASK } from "../../src/webhooks/header-masking.ts";
import type { Consent } from "../../src/webhooks/verification.ts";
import {
  DEFAULT_BATCH_WAIT_MS,
  DEFAULT_SCHEDULE_SECONDS,
  MAX_WEBHOOKS,
  type Webhook,
  type WebhookInput,
} from "../../src/webhooks/webhook.ts";
import { ORIGIN, serviceWith, URL } from "./service-support.ts";
import { callerWith, faultsOfAsync, granted, webhookWith } from "./support.ts";

describe("a registration", () => {
  const cases: [reason: string, input: Partial<WebhookInput>, stored: Partial<Webhook>][] = [
    [
      "has the documented defaults",
      {},
      {
        ...{ enabled: true, qos: 1, mode: "structured", headers: {}, concurrency: 10, timeoutMs: 15_000 },
        ...{ retry: { scheduleSeconds: DEFAULT_SCHEDULE_SECONDS }, secret: "whsec_new" },
        ...{ verification: undefined as never, snapshot: undefined as never },
      },
    ],
    ["replaces the defaults", { enabled: false, qos: 2, concurrency: 1 }, { enabled: false, qos: 2, concurrency: 1 }],
    ["keeps the caller's secret", { secret: "mine" }, { secret: "mine" }],
    ["has each filter once, in order", { topics: ["b", "a", "b"] }, { topics: ["b", "a"] }],
    [
      "waits a second for a batch",
      { batch: { maxSize: 5 } },
      { batch: { maxSize: 5, maxWaitMs: DEFAULT_BATCH_WAIT_MS } },
    ],
    [
      "waits as long as it says for a batch",
      { batch: { maxSize: 5, maxWaitMs: 0 } },
      { batch: { maxSize: 5, maxWaitMs: 0 } },
    ],
    ["asks for retained messages once", { retained: "deliver" }, { retained: "deliver", snapshot: "pending" }],
    ["may skip them", { retained: "skip" }, { retained: "skip", snapshot: undefined as never }],
    ["may have no retries", { retry: { scheduleSeconds: [] } }, { retry: { scheduleSeconds: [] } }],
  ];
  for (const [reason, input, stored] of cases) {
    it(reason, async () => {
      const { service } = await serviceWith();
      const draft = await granted(service.draft({ url: URL, topics: ["a"], ...input }, ROOT));
      assert.match(draft.id, /^wh_[0-9a-f-]{36}$/);
      assert.equal(draft.createdAt, draft.updatedAt);
      for (const [name, value] of Object.entries(stored)) assert.deepEqual(draft[name as keyof Webhook], value, name);
      assert.equal("verify" in draft, false);
    });
  }

  const refused: [reason: string, input: Partial<WebhookInput>, caller: Caller, ...faults: string[]][] = [
    ["needs the right to read", {}, callerWith({ read: [] }), "forbidden_topic", "topics[0]"],
    ["needs it for events", { events: ["delivery.failed"] }, callerWith({ read: ["a"] }), "forbidden_topic", "events"],
    ["needs a purpose", { topics: [] }, ROOT, "invalid_request", "topics"],
    ["excludes combinations", { batch: { maxSize: 2 }, mode: "binary" }, ROOT, "invalid_request", "batch"],
    ["excludes loops", { replyTopic: "a" }, ROOT, "invalid_request", "replyTopic"],
    ["needs valid fields", { secret: "short" }, ROOT, "invalid_request", "secret"],
    ["needs an address that may be called", { url: "https://internal/" }, ROOT, "blocked_address", "url"],
    ["has no masks", { headers: { "X-Key": MASK } }, ROOT, "invalid_request", "headers.X-Key"],
    [
      "has one Authorization",
      { headers: { Authorization: "x" }, auth: { type: "bearer", token: "t" } },
      ROOT,
      "invalid_request",
      "headers.Authorization",
    ],
  ];
  for (const [reason, input, caller, ...faults] of refused) {
    it(reason, async () => {
      const { service, registry, calls } = await serviceWith();
      assert.deepEqual(
        await faultsOfAsync(() => service.create({ url: URL, topics: ["a"], ...input }, caller)),
        faults,
      );
      assert.deepEqual([registry.size, calls], [0, []]);
    });
  }

  it("returns the secret and waits for the subscriptions", async () => {
    const { service, registry, calls } = await serviceWith();
    const { id, secret } = await granted(service.create({ url: URL, topics: ["a"] }, ROOT));
    assert.deepEqual([secret, calls], ["whsec_new", ["await subscriptions"]]);
    assert.equal(registry.get(id)?.url, URL);
    assert.equal("secret" in (await granted(service.get(id, ROOT))), false);
  });

  const checks: [reason: string, consent: Consent | undefined, state: string, limit: Webhook["rateLimit"]][] = [
    ["stays pending until the receiver agrees", undefined, "pending", undefined],
    ["is verified by an agreeing response", {}, "verified", undefined],
    ["takes over the receiver's limit", { ratePerMinute: 30 }, "verified", { max: 30, perSeconds: 60 }],
  ];
  for (const [reason, consent, state, limit] of checks) {
    it(reason, async () => {
      const { service, registry, calls } = await serviceWith([], consent);
      const dto = await granted(service.create({ url: URL, topics: ["a"], verify: true }, ROOT));
      assert.deepEqual([dto.verification?.state, dto.rateLimit, calls.includes("ask new")], [state, limit, true]);
      assert.equal(registry.get(dto.id)?.verification?.origin, ORIGIN);
    });
  }

  for (const [number, ...faults] of [[MAX_WEBHOOKS - 1], [MAX_WEBHOOKS, "too_many_webhooks"]] as [
    number,
    ...string[],
  ][]) {
    it(`is ${faults[0] ? "refused" : "accepted"} beside ${number} others`, async () => {
      const { service } = await serviceWith(Array.from({ length: number }, (_, i) => webhookWith({ id: `wh_${i}` })));
      assert.deepEqual(await faultsOfAsync(() => service.create({ url: URL, topics: ["a"] }, ROOT)), faults);
    });
  }
});
