/** The recorded request shows what was sent, but no credential. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { loggedRequest, maskUrl } from "../../../src/uplink/request/request-log.ts";
import { MASK } from "../../../src/webhooks/header-masking.ts";
import type { Webhook } from "../../../src/webhooks/webhook.ts";
import { webhookWith } from "../../webhooks/support.ts";

const secret = `whsec_${"c2VjcmV0".repeat(4)}`;
const logged = (headers: Record<string, string>, webhook: Partial<Webhook> = {}, accessToken?: string) =>
  loggedRequest({ method: "PUT", url: "https://x.test/", headers }, webhookWith({ secret, ...webhook }), accessToken);

describe("a recorded request", () => {
  it("has its method, its URL and its plain headers", () => {
    const headers = { "webhook-id": "msg_1", "causeway-attempt": "2", "x-tenant": "7" };
    assert.deepEqual(logged(headers), { method: "PUT", url: "https://x.test/", headers });
  });

  const masked: [reason: string, headers: Record<string, string>, webhook: Partial<Webhook>, shown: object][] = [
    ["signatures", { "webhook-signature": "v1,abc" }, {}, { "webhook-signature": MASK }],
    ["headers that look like credentials", { "x-api-key": "k" }, {}, { "x-api-key": MASK }],
    ["the secret in another header", { "x-a": `is ${secret}` }, {}, { "x-a": `is ${MASK}` }],
    ["basic credentials", {}, { auth: { type: "basic", username: "u", password: "p" } }, { authorization: MASK }],
    ["a bearer token", {}, { auth: { type: "bearer", token: "t" } }, { authorization: MASK }],
    ["nothing for a client certificate", {}, { auth: { type: "mtls", cert: "c", key: "k" } }, {}],
  ];
  for (const [reason, headers, webhook, shown] of masked) {
    it(`masks ${reason}`, () => assert.deepEqual(logged(headers, webhook).headers, shown));
  }

  it("masks the access token, wherever it is", () => {
    assert.deepEqual(logged({ "x-a": "token acc3ss" }, {}, "acc3ss").headers, { "x-a": `token ${MASK}` });
  });

  it("is limited in size", () => {
    const long = Object.fromEntries(Array.from({ length: 50 }, (_, i) => [`x-${i}`, "v".repeat(4_096)]));
    const { headers, url } = loggedRequest(
      { method: "POST", url: `https://x.test/${"a".repeat(8_000)}`, headers: long },
      webhookWith({ secret }),
    );
    assert.equal(headers["x-0"], `${"v".repeat(255)}…`);
    assert.ok(JSON.stringify(headers).length < 3_000);
    assert.equal(url.length, 1_024);
  });
});

describe("a recorded URL", () => {
  const cases: [url: string, shown: string, template?: string][] = [
    ["https://x.test/a/b?c=d&e", "https://x.test/a/b?c=d&e"],
    ["https://x.test/", "https://x.test/"],
    ["https://x.test/?token=abc&a=1", `https://x.test/?token=${MASK}&a=1`],
    ["https://x.test/?x=Zm9vYmFyMTIzNDU2Nzg5", `https://x.test/?x=${MASK}`],
    ["https://x.test/?x=the-living-room-sensor", "https://x.test/?x=the-living-room-sensor"],
    [
      "https://x.test/?t=device-0123456789abcdef",
      "https://x.test/?t=device-0123456789abcdef",
      "https://x.test/?t={topic}",
    ],
    ["https://u:p@x.test/a@b", `https://${MASK}@x.test/a@b`],
  ];
  for (const [url, shown, template = url] of cases) {
    it(`is ${shown}`, () => assert.equal(maskUrl(url, template), shown));
  }
});
