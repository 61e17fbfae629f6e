/** The API's view of a webhook: its state, its defaults, and nothing secret. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MASK } from "../../src/webhooks/header-masking.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import { NO_COUNTS, toDto } from "../../src/webhooks/webhook-dto.ts";
import { webhookWith } from "./support.ts";

const NOW = Date.parse("2026-03-01T00:00:00.000Z");
const SINCE = Date.parse("2026-02-01T00:00:00.000Z");
const NEXT = Date.parse("2026-03-01T00:03:00.000Z");
const disabled = { at: "2026-01-01T00:00:00.000Z", reason: "410" };
const pending: Webhook["verification"] = {
  state: "pending",
  at: "2026-01-01T00:00:00.000Z",
  origin: "o",
  token: "needle",
};

function dtoOf(changes: Partial<Webhook>, failingSince?: number, refused: Record<string, string> = {}) {
  return toDto(
    webhookWith(changes),
    NO_COUNTS,
    { since: failingSince, nextProbeAt: failingSince && NEXT },
    new Map(Object.entries(refused)),
    NOW,
  );
}

describe("the state of a webhook", () => {
  const cases: [reason: string, changes: Partial<Webhook>, failingSince: number | undefined, state: string][] = [
    ["is active", {}, undefined, "active"],
    ["is failing", {}, SINCE, "failing"],
    ["is failing since the start of the epoch", {}, 0, "failing"],
    ["is paused by its owner", { enabled: false }, undefined, "paused"],
    ["is paused until the ownership check ends", { verification: pending }, undefined, "paused"],
    ["is paused also while the endpoint fails", { enabled: false }, SINCE, "paused"],
    ["is disabled by the bridge", { disabled }, undefined, "disabled"],
    ["is disabled also while it is paused", { disabled, enabled: false }, undefined, "disabled"],
    ["is disabled also while the endpoint fails", { disabled }, SINCE, "disabled"],
  ];
  it("names the next probe only while the endpoint is called again by itself", () => {
    assert.equal(dtoOf({}, SINCE).nextProbeAt, "2026-03-01T00:03:00.000Z");
    for (const changes of [{ enabled: false }, { disabled }]) assert.equal(dtoOf(changes, SINCE).nextProbeAt, null);
    assert.equal(dtoOf({}).nextProbeAt, null);
  });
  for (const [reason, changes, failingSince, state] of cases) {
    it(reason, () => {
      const dto = dtoOf(changes, failingSince);
      const since = state === "failing" ? new Date(failingSince!).toISOString() : null;
      assert.deepEqual([dto.state, dto.failingSince], [state, since]);
    });
  }
});

describe("the fields of a webhook", () => {
  const cases: [reason: string, changes: Partial<Webhook>, shown: object][] = [
    ["have defaults", {}, { retained: "skip", ordering: "none", events: [], headers: {}, counts: NO_COUNTS }],
    [
      "replace the defaults",
      { retained: "deliver", ordering: "strict", events: ["delivery.failed"] },
      { retained: "deliver", ordering: "strict", events: ["delivery.failed"] },
    ],
    ["leave out the progress of retained messages", { snapshot: "pending" }, { snapshot: undefined }],
    [
      "mask headers that may hold credentials",
      { headers: { "X-Key": "needle", a: "b" } },
      { headers: { "X-Key": MASK, a: "b" } },
    ],
    ["leave out the secret", { secret: "needle" }, { secret: undefined }],
    [
      "leave out the password",
      { auth: { type: "basic", username: "u", password: "needle" } },
      { auth: { type: "basic", username: "u" } },
    ],
    ["leave out the token", { auth: { type: "bearer", token: "needle" } }, { auth: { type: "bearer" } }],
    [
      "leave out the client's secret",
      {
        auth: {
          type: "oauth2",
          tokenUrl: "https://l.test/",
          clientId: "c",
          clientSecret: "needle",
          scope: "s",
          audience: "a",
        },
      },
      { auth: { type: "oauth2", tokenUrl: "https://l.test/", clientId: "c", scope: "s", audience: "a" } },
    ],
    [
      "leave out the private key",
      { auth: { type: "mtls", cert: "PEM", key: "needle" } },
      { auth: { type: "mtls", cert: "PEM" } },
    ],
    [
      "leave out the token of the ownership check",
      { verification: pending },
      { verification: { state: "pending", at: pending!.at } },
    ],
    [
      "leave out fields of a newer bridge",
      { fieldOfANewerBridge: "needle" } as object,
      { fieldOfANewerBridge: undefined },
    ],
    [
      "show until when the old secret signs",
      { oldSecret: { secret: "needle", until: new Date(NOW + 1).toISOString() } },
      { oldSecretUntil: new Date(NOW + 1).toISOString(), oldSecret: undefined },
    ],
    [
      "leave out an old secret that has just ended",
      { oldSecret: { secret: "needle", until: new Date(NOW).toISOString() } },
      { oldSecretUntil: undefined, oldSecret: undefined },
    ],
  ];
  for (const [reason, changes, shown] of cases) {
    it(reason, () => {
      const dto: object = dtoOf(changes);
      const of = Object.keys(shown).map((name) => [name, (dto as Record<string, unknown>)[name]]);
      assert.deepEqual(Object.fromEntries(of), shown);
      assert.doesNotMatch(JSON.stringify(dto), /needle|whsec_/);
    });
  }
});

describe("refused topics", () => {
  const topics = ["a/#", "b"];
  const cases: [reason: string, refused: Record<string, string>, shown: object[] | undefined][] = [
    ["are absent if the broker refused none", {}, undefined],
    ["are absent if it refused those of others", { c: "no" }, undefined],
    ["have their reason", { b: "not authorised", c: "no" }, [{ topic: "b", reason: "not authorised" }]],
    [
      "are in the order of the topics",
      { b: "1", "a/#": "2" },
      [
        { topic: "a/#", reason: "2" },
        { topic: "b", reason: "1" },
      ],
    ],
  ];
  for (const [reason, refused, shown] of cases) {
    it(reason, () => assert.deepEqual(dtoOf({ topics }, undefined, refused).refusedTopics, shown));
  }
});
