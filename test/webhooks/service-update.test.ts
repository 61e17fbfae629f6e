/** Changes of a webhook: the resulting record, the refusals, and the calls of other parts. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { type Caller, ROOT } from "../../src/keys/caller.ts";
import { MASK } from "../../src/webhooks/header-masking.ts";
import { DEFAULT_BATCH_WAIT_MS, type Webhook, type WebhookPatch } from "../../src/webhooks/webhook.ts";
import { ORIGIN, serviceWith, URL } from "./service-support.ts";
import { callerWith, faultsOfAsync, granted, webhookWith } from "./support.ts";

const disabled = { at: "2026-01-01T00:00:00.000Z", reason: "410" };
const verified: Webhook["verification"] = { state: "verified", at: "2026-01-01T00:00:00.000Z", origin: "old.test" };
const oldSecret = { secret: "whsec_older", until: "2999-01-01T00:00:00.000Z" };

describe("a change", () => {
  const gone = undefined as never;
  const cases: [
    reason: string,
    before: Partial<Webhook>,
    input: WebhookPatch,
    then: Partial<Webhook>,
    ...calls: string[],
  ][] = [
    ["of a name calls nothing", { name: "a" }, { name: "b" }, { name: "b" }],
    [
      "keeps all other fields",
      { name: "a", filter: "f", disabled },
      { concurrency: 2 },
      { name: "a", filter: "f", disabled, concurrency: 2 },
    ],
    ["with null removes a field", { filter: "f", ca: "PEM" }, { filter: null, ca: null }, { filter: gone, ca: gone }],
    ["of the topics waits for the subscriptions", {}, { topics: ["b", "b"] }, { topics: ["b"] }, "await subscriptions"],
    ["of the QoS waits for them, too", { qos: 2 }, { qos: 0 }, { qos: 0 }, "await subscriptions"],
    [
      "to enabled enables also a disabled webhook",
      { enabled: false, disabled },
      { enabled: true },
      { enabled: true, disabled: gone },
      "reset health",
      "resume",
    ],
    ["to disabled keeps the reason of the bridge", { disabled }, { enabled: false }, { enabled: false, disabled }],
    [
      "of the URL resets the health",
      {},
      { url: `${URL}/2` },
      { url: `${URL}/2`, verification: gone },
      "reset health",
      "resume",
    ],
    ["to the same URL resets nothing", { verification: verified }, { url: URL }, { verification: verified }],
    ["of the secret ends the grace period", { oldSecret }, { secret: "mine" }, { secret: "mine", oldSecret: gone }],
    ["of other fields keeps it", { oldSecret }, { name: "b" }, { oldSecret }],
    ["without a check removes its result", { verification: verified }, { verify: false }, { verification: gone }],
    [
      "of headers keeps the value of a mask",
      { headers: { "X-Key": "k" } },
      { headers: { "x-key": MASK, a: "b" } },
      { headers: { "x-key": "k", a: "b" } },
    ],
    ["of headers replaces all of them", { headers: { "X-Key": "k" } }, { headers: {} }, { headers: {} }],
    [
      "of a batch waits a second",
      {},
      { batch: { maxSize: 3 } },
      { batch: { maxSize: 3, maxWaitMs: DEFAULT_BATCH_WAIT_MS } },
    ],
  ];
  for (const [reason, before, input, then, ...wanted] of cases) {
    it(reason, async () => {
      const { service, registry, calls } = await serviceWith([webhookWith(before)]);
      await granted(service.update("wh_1", input, ROOT));
      const changed = registry.get("wh_1")!;
      for (const [name, value] of Object.entries(then)) assert.deepEqual(changed[name as keyof Webhook], value, name);
      assert.deepEqual(calls, wanted);
      assert.ok(changed.updatedAt > changed.createdAt);
    });
  }

  const checks: [reason: string, before: Partial<Webhook>, input: WebhookPatch, ...calls: string[]][] = [
    ["with a check starts it", {}, { verify: true }, "ask wh_1"],
    ["with a check starts it again", { verification: verified }, { verify: true }, "ask wh_1"],
    [
      "of the URL starts the check again",
      { verification: verified },
      { url: `${URL}/2` },
      "reset health",
      "resume",
      "ask wh_1",
    ],
  ];
  for (const [reason, before, input, ...wanted] of checks) {
    it(reason, async () => {
      const { service, registry, calls } = await serviceWith([webhookWith(before)]);
      await granted(service.update("wh_1", input, ROOT));
      const { state, origin, token } = registry.get("wh_1")!.verification!;
      assert.deepEqual([state, origin, token?.length, calls], ["pending", ORIGIN, 32, wanted]);
    });
  }

  const noReplies = callerWith({ publish: [] });
  const refused: [
    reason: string,
    before: Partial<Webhook>,
    input: WebhookPatch,
    caller: Caller,
    ...faults: string[],
  ][] = [
    ["needs a visible webhook", {}, { name: "b" }, callerWith({ read: ["b"] }), "not_found"],
    [
      "needs the right to the new topics",
      { topics: ["a"] },
      { topics: ["a", "b"] },
      callerWith({ read: ["a"] }),
      "forbidden_topic",
      "topics[1]",
    ],
    [
      "needs the right to new events",
      {},
      { events: ["delivery.failed"] },
      callerWith({ read: ["a/#"] }),
      "forbidden_topic",
      "events",
    ],
    [
      "leaves a purpose",
      { topics: [], events: ["delivery.failed"] },
      { events: null },
      ROOT,
      "invalid_request",
      "topics",
    ],
    [
      "fits the other fields",
      { batch: { maxSize: 2, maxWaitMs: 1 } },
      { ordering: "topic" },
      ROOT,
      "invalid_request",
      "batch",
    ],
    ["fits the replies", { replyTopic: "r" }, { topics: ["r"] }, ROOT, "invalid_request", "replyTopic"],
    ["fits the certificates", { ca: "PEM" }, { url: "http://example.test/hook" }, ROOT, "invalid_request", "ca"],
    [
      "needs the credentials for another origin",
      { auth: { type: "bearer", token: "t" } },
      { url: "https://other.test/" },
      ROOT,
      "credentials_required",
      "auth",
    ],
    ["needs valid fields", {}, { secret: "short" }, ROOT, "invalid_request", "secret"],
    [
      "of any field needs the right to the replies",
      { replyTopic: "r" },
      { name: "b" },
      noReplies,
      "forbidden_topic",
      "replyTopic",
    ],
    ["that resumes needs it, too", { replyTopic: "r" }, { enabled: true }, noReplies, "forbidden_topic", "replyTopic"],
    ["that pauses does not need it", { replyTopic: "r" }, { enabled: false }, noReplies],
  ];
  for (const [reason, before, input, caller, ...faults] of refused) {
    it(reason, async () => {
      const { service, registry } = await serviceWith([webhookWith(before)]);
      assert.deepEqual(await faultsOfAsync(() => service.update("wh_1", input, caller)), faults);
      if (faults.length > 0) assert.deepEqual(registry.get("wh_1"), webhookWith(before), "unchanged");
    });
  }
});
