/** The record of a webhook: which fields are secret, and when the receiver may be called. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { isCallable, openFields, type Webhook } from "../../src/webhooks/webhook.ts";
import { webhookWith } from "./support.ts";

const disabled = { at: "2026-01-01T00:00:00.000Z", reason: "410" };
const check = { at: "2026-01-01T00:00:00.000Z", origin: "o" };

describe("a webhook may be called", () => {
  const cases: [reason: string, changes: Partial<Webhook>, callable: boolean][] = [
    ["if it is enabled", {}, true],
    ["not while it is paused", { enabled: false }, false],
    ["not while it is disabled by the bridge", { disabled }, false],
    ["not while the ownership check is pending", { verification: { ...check, state: "pending" } }, false],
    ["once the check has ended", { verification: { ...check, state: "verified" } }, true],
    ["not if it is verified and paused", { enabled: false, verification: { ...check, state: "verified" } }, false],
  ];
  for (const [reason, changes, callable] of cases) {
    it(reason, () => assert.equal(isCallable(webhookWith(changes)), callable));
  }
});

describe("the open fields", () => {
  const open: Partial<Webhook> = {
    ...{ name: "n", retained: "deliver", filter: "f", transform: "t", batch: { maxSize: 1, maxWaitMs: 1 } },
    ...{ ordering: "strict", rateLimit: { max: 1, perSeconds: 1 }, ca: "PEM", replyTopic: "r", events: [] },
    ...{ snapshot: "done", disabled },
  };
  for (const [name, value] of Object.entries(open)) {
    it(`contain ${name}`, () =>
      assert.deepEqual(openFields(webhookWith({ [name]: value })), withoutSecrets({ [name]: value })));
  }

  const secret: Record<string, unknown> = {
    secret: "whsec_x",
    oldSecret: { secret: "whsec_y", until: "2026-01-01T00:00:00.000Z" },
    auth: { type: "bearer", token: "t" },
    headers: { "X-A": "b" },
    verification: { ...check, state: "pending", token: "t" },
    // A newer bridge may have stored it; nothing says that it may be shown.
    fieldOfANewerBridge: "x",
    // A name that every object has.
    constructor: "x",
  };
  for (const [name, value] of Object.entries(secret)) {
    it(`do not contain ${name}`, () => assert.deepEqual(openFields(webhookWith({ [name]: value })), withoutSecrets()));
  }

  function withoutSecrets(changes: Partial<Webhook> = {}) {
    const { secret: _secret, headers: _headers, ...rest } = webhookWith(changes);
    return rest;
  }
});
