/** Rotation of signing secrets: which secrets sign, and until when. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rotated, signingSecrets } from "../../src/webhooks/rotation.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import { webhookWith } from "./support.ts";

const NOW = Date.parse("2026-03-01T00:00:00.000Z");
const older = { secret: "whsec_older", until: "2026-03-02T00:00:00.000Z" };

describe("a rotation", () => {
  const cases: [
    reason: string,
    before: Partial<Webhook>,
    secret: string,
    graceSeconds: number,
    old: Webhook["oldSecret"],
  ][] = [
    ["without a grace period drops the old secret", {}, "whsec_new", 0, undefined],
    ["without a grace period drops an older one, too", { oldSecret: older }, "whsec_new", 0, undefined],
    [
      "keeps the old secret for a second",
      {},
      "whsec_new",
      1,
      { secret: "whsec_old", until: "2026-03-01T00:00:01.000Z" },
    ],
    [
      "keeps it for the longest period",
      {},
      "whsec_new",
      604_800,
      { secret: "whsec_old", until: "2026-03-08T00:00:00.000Z" },
    ],
    [
      "keeps two secrets at most",
      { oldSecret: older },
      "whsec_new",
      60,
      { secret: "whsec_old", until: "2026-03-01T00:01:00.000Z" },
    ],
    ["to the same secret keeps no old one", { oldSecret: older }, "whsec_old", 60, undefined],
  ];
  for (const [reason, before, secret, graceSeconds, old] of cases) {
    it(reason, () => {
      const webhook = webhookWith({ name: "kept", ...before });
      const given = structuredClone(webhook);
      const { oldSecret: _dropped, ...rest } = webhook;
      const wanted = { ...rest, secret, updatedAt: "2026-03-01T00:00:00.000Z", ...(old && { oldSecret: old }) };
      assert.deepEqual(rotated(webhook, { secret, graceSeconds }, NOW), wanted);
      assert.deepEqual(webhook, given, "the given webhook is unchanged");
    });
  }
});

describe("the signing secrets", () => {
  const cases: [reason: string, oldSecret: Webhook["oldSecret"], secrets: string[]][] = [
    ["are one without a rotation", undefined, ["whsec_old"]],
    ["are two during the grace period, the new one first", older, ["whsec_old", "whsec_older"]],
    [
      "are two until its last millisecond",
      { ...older, until: new Date(NOW + 1).toISOString() },
      ["whsec_old", "whsec_older"],
    ],
    ["are one at its end", { ...older, until: new Date(NOW).toISOString() }, ["whsec_old"]],
    ["are one after it", { ...older, until: new Date(NOW - 1).toISOString() }, ["whsec_old"]],
  ];
  for (const [reason, oldSecret, secrets] of cases) {
    it(reason, () => assert.deepEqual(signingSecrets(webhookWith(oldSecret ? { oldSecret } : {}), NOW), secrets));
  }
});
