/** A recorded response contains no credential of the webhook. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { maskSecrets, secretsOf } from "../../../src/uplink/request/mask-secrets.ts";
import { MASK } from "../../../src/webhooks/header-masking.ts";
import type { Webhook } from "../../../src/webhooks/webhook.ts";
import fc from "../../support/property.ts";

const base = { url: "https://example.test/", headers: {}, secret: `whsec_${"c2VjcmV0".repeat(4)}` };
const base64 = (text: string) => Buffer.from(text).toString("base64");

describe("a recorded response", () => {
  const basic: Webhook["auth"] = { type: "basic", username: "user", password: 'pass"wörd' };
  const oauth2: Webhook["auth"] = {
    ...{ type: "oauth2", tokenUrl: "https://login.test/", clientId: "client", clientSecret: "s&cr=t one" },
  };
  const cases: [name: string, webhook: Partial<Webhook>, secret: string][] = [
    ["a bearer token", { auth: { type: "bearer", token: "t0ken.abc" } }, "t0ken.abc"],
    ["a password", { auth: basic }, 'pass"wörd'],
    ["a password in JSON", { auth: basic }, 'pass\\"wörd'],
    ["a password in a URL", { auth: basic }, encodeURIComponent('pass"wörd')],
    ["basic credentials", { auth: basic }, base64('user:pass"wörd')],
    ["a client secret", { auth: oauth2 }, "s&cr=t one"],
    ["a client secret in a form", { auth: oauth2 }, "s%26cr%3Dt+one"],
    ["an access token", { auth: oauth2 }, "acc3ss-token"],
    ["a header", { headers: { "X-Api-Key": "k3y-value" } }, "k3y-value"],
    ["a header without its scheme", { headers: { Authorization: "Token k3y-value" } }, "k3y-value"],
    ["a header's password", { headers: { Authorization: `Basic ${base64("me:hunter22")}` } }, "hunter22"],
    ["a signing secret", {}, base.secret],
    ["its base64", {}, base.secret.slice("whsec_".length)],
    ["the old one", { oldSecret: { secret: "whsec_b2xkb2xkb2xk", until: "" } }, "b2xkb2xkb2xk"],
    ["a token in the URL", { url: "https://example.test/?code=abcdefgh1" }, "abcdefgh1"],
  ];
  for (const [name, webhook, secret] of cases) {
    const secrets = secretsOf({ ...base, ...webhook }, "acc3ss-token");
    it(`does not contain ${name}`, () => {
      assert.equal(maskSecrets(`you sent ${secret}, twice: ${secret}.`, secrets), `you sent ${MASK}, twice: ${MASK}.`);
      assert.equal(maskSecrets(`cut: ${secret.slice(0, -1)}`, secrets), `cut: ${MASK}`);
    });
  }

  it("is unchanged if it contains none", () => {
    const secrets = secretsOf({ ...base, auth: basic, headers: { "x-tenant": "tenant-7" } });
    const text = '{"user":"user","tenant":"tenant-7"}';
    assert.equal(maskSecrets(text, secrets), text);
  });

  it("contains no secret, and no start of one at its end, in any surrounding text", () => {
    // A small alphabet without the mask's character, so that occurrences overlap.
    const word = (minLength: number) =>
      fc.array(fc.constantFrom("a", "b", "c"), { minLength, maxLength: 8 }).map((all) => all.join(""));
    const texts = fc.tuple(fc.array(word(4), { minLength: 1, maxLength: 4 }), fc.array(word(0), { maxLength: 12 }));
    fc.assert(
      fc.property(texts, fc.nat(60), ([secrets, others], end) => {
        const masked = maskSecrets([...others, ...secrets, ...others].join("").slice(0, end), secrets);
        for (const secret of secrets) {
          assert.ok(!masked.includes(secret));
          for (let length = 4; length < secret.length; length++) assert.ok(!masked.endsWith(secret.slice(0, length)));
        }
      }),
    );
  });
});
