/** The ownership check: the requested rate, the receiver's consent, and the effect of both. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { agreed, type Consent, consentOf, pendingCheck, requestRate } from "../../src/webhooks/verification.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import { webhookWith } from "./support.ts";

const NOW = new Date("2026-03-01T00:00:00.000Z");
type RateLimit = Webhook["rateLimit"];

describe("the allowed rate", () => {
  const cases: [header: string | undefined, ratePerMinute: number | undefined, reason: string][] = [
    [undefined, undefined, "absent"],
    ["", undefined, "empty"],
    ["*", undefined, "no limit"],
    ["1", 1, "the smallest limit"],
    ["  30\t", 30, "with white space"],
    ["1000000", 1_000_000, "the largest limit"],
    ["1000001", 1_000_000, "above the largest limit"],
    ["9".repeat(400), 1_000_000, "a number out of range"],
    ["0", undefined, "would never be called"],
    ["-1", undefined, "negative"],
    ["01", undefined, "a leading zero"],
    ["1.5", undefined, "no whole number"],
    ["1e3", undefined, "an exponent"],
    ["0x10", undefined, "hexadecimal"],
    ["30, 60", undefined, "a list"],
    ["soon", undefined, "no number"],
  ];
  for (const [header, ratePerMinute, reason] of cases) {
    it(`${JSON.stringify(header)?.slice(0, 20)} means ${ratePerMinute ?? "no limit"}: ${reason}`, () => {
      assert.deepEqual(consentOf(header), ratePerMinute === undefined ? {} : { ratePerMinute });
    });
  }
});

describe("the requested rate", () => {
  const cases: [reason: string, rateLimit: RateLimit, perMinute: number | undefined][] = [
    ["is absent without a limit", undefined, undefined],
    ["is the limit per minute", { max: 30, perSeconds: 60 }, 30],
    ["is scaled up", { max: 10, perSeconds: 5 }, 120],
    ["is scaled down", { max: 10, perSeconds: 300 }, 2],
    ["is rounded down", { max: 119, perSeconds: 3_600 }, 1],
    ["is at least one", { max: 1, perSeconds: 3_600 }, 1],
  ];
  for (const [reason, rateLimit, perMinute] of cases) {
    it(reason, () => assert.equal(requestRate(rateLimit ? { rateLimit } : {}), perMinute));
  }
});

describe("a pending check", () => {
  it("has the origin, the time, and a token of 24 random bytes", () => {
    const { token, ...check } = pendingCheck("causeway.test", NOW);
    assert.deepEqual(check, { state: "pending", at: "2026-03-01T00:00:00.000Z", origin: "causeway.test" });
    assert.match(token!, /^[\w-]{32}$/);
    assert.notEqual(pendingCheck("causeway.test", NOW).token, token);
  });
});

describe("consent", () => {
  const pending: Webhook["verification"] = {
    state: "pending",
    at: "2026-02-01T00:00:00.000Z",
    origin: "o",
    token: "t0ken",
  };
  const { token: _token, ...withoutToken } = pending;
  const own = (max: number, perSeconds: number) => ({ max, perSeconds });

  const ignored: [reason: string, verification: Webhook["verification"], token: string][] = [
    ["without a check", undefined, "t0ken"],
    ["with an empty token for a webhook without a check", undefined, ""],
    ["with another token", pending, "other"],
    ["with a token of another length", pending, "t0ken0"],
    ["with the beginning of the token", pending, "t0ke"],
    ["with an empty token", pending, ""],
    ["a second time", { ...withoutToken, state: "verified" }, "t0ken"],
    ["with an empty token after the check", { ...withoutToken, state: "verified" }, ""],
    ["with an empty token where the stored one is empty", { ...pending, token: "" }, ""],
  ];
  for (const [reason, verification, token] of ignored) {
    it(`is ignored ${reason}`, () => {
      assert.equal(agreed(webhookWith(verification ? { verification } : {}), token, {}, NOW), undefined);
    });
  }

  const limits: [reason: string, rateLimit: RateLimit, consent: Consent, then: RateLimit][] = [
    ["leaves no limit without one", undefined, {}, undefined],
    ["keeps the webhook's limit without one", own(1, 1), {}, own(1, 1)],
    ["sets the receiver's limit", undefined, { ratePerMinute: 30 }, own(30, 60)],
    ["keeps a lower limit of the webhook", own(1, 60), { ratePerMinute: 30 }, own(1, 60)],
    ["keeps an equal limit of the webhook", own(1, 2), { ratePerMinute: 30 }, own(1, 2)],
    ["lowers a higher limit of the webhook", own(31, 60), { ratePerMinute: 30 }, own(30, 60)],
    ["lowers a limit that is higher only per minute", own(6, 10), { ratePerMinute: 35 }, own(35, 60)],
  ];
  for (const [reason, rateLimit, consent, then] of limits) {
    it(reason, () => {
      const webhook = webhookWith({ verification: pending, ...(rateLimit && { rateLimit }) });
      const at = "2026-03-01T00:00:00.000Z";
      const verification = { state: "verified" as const, at, origin: "o" };
      const wanted = { ...webhook, verification, updatedAt: at, ...(then && { rateLimit: then }) };
      assert.deepEqual(agreed(webhook, "t0ken", consent, NOW), wanted);
      assert.equal(webhook.verification?.token, "t0ken", "the given webhook is unchanged");
    });
  }
});
