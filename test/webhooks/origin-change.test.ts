/** A new origin gets no credentials except those that the same call sets. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { MASK } from "../../src/webhooks/header-masking.ts";
import { checkCredentials } from "../../src/webhooks/origin-change.ts";
import type { Webhook, WebhookPatch } from "../../src/webhooks/webhook.ts";

const bearer: Webhook["auth"] = { type: "bearer", token: "t" };
const oauth2: Webhook["auth"] = { type: "oauth2", tokenUrl: "https://login.test/", clientId: "c", clientSecret: "s" };
const mtls: Webhook["auth"] = { type: "mtls", cert: "c", key: "k" };
const secret = { "x-api-key": "k", "x-tenant": "7" };
const plain = { "x-tenant": "7" };
const other = "https://other.test/hook";

/** Returns the fields named in the refusal; empty if nothing is refused. */
function refused(current: Partial<Webhook>, input: WebhookPatch): string[] {
  const refused = checkCredentials({ url: "https://example.test/hook", headers: {}, ...current }, input);
  if (refused) assert.equal(refused.code, "credentials_required");
  return refused?.errors?.map(({ path }) => path) ?? [];
}

describe("credentials", () => {
  const cases: [name: string, current: Partial<Webhook>, input: WebhookPatch, ...paths: string[]][] = [
    ["another host", { auth: bearer }, { url: other }, "auth"],
    ["another port", { auth: bearer }, { url: "https://example.test:8443/hook" }, "auth"],
    ["another scheme", { auth: bearer }, { url: "http://example.test/hook" }, "auth"],
    ["a subdomain", { auth: bearer }, { url: "https://a.example.test/hook" }, "auth"],
    ["an access token", { auth: oauth2 }, { url: other }, "auth"],
    ["a client certificate", { auth: mtls }, { url: other }, "auth"],
    ["a header that is not shown", { headers: secret }, { url: other }, "headers"],
    ["both", { auth: bearer, headers: secret }, { url: other }, "auth", "headers"],
    ["one of two", { auth: bearer, headers: secret }, { url: other, auth: bearer }, "headers"],
    ["the other of two", { auth: bearer, headers: secret }, { url: other, headers: {} }, "auth"],
    ["a mask", { headers: secret }, { url: other, headers: { "X-Api-Key": MASK } }, "headers.X-Api-Key"],

    ["another path and query", { auth: bearer, headers: secret }, { url: "https://example.test/v2?x=1" }],
    ["the same port, written out", { auth: bearer }, { url: "https://example.test:443/hook" }],
    ["the host in capitals", { auth: bearer }, { url: "https://EXAMPLE.test/hook" }],
    ["no url", { auth: bearer, headers: secret }, { name: "x" }],
    ["none at all", { headers: plain }, { url: other }],
    ["both set again", { auth: bearer, headers: secret }, { url: other, auth: oauth2, headers: secret }],
    ["both removed", { auth: bearer, headers: secret }, { url: other, auth: null, headers: {} }],
    [
      "a mask on the same origin",
      { headers: secret },
      { url: "https://example.test/2", headers: { "x-api-key": MASK } },
    ],
  ];
  for (const [name, current, input, ...paths] of cases) {
    it(`${name}: ${paths.length > 0 ? `refused, ${paths}` : "accepted"}`, () => {
      assert.deepEqual(refused(current, input), paths);
    });
  }
});
