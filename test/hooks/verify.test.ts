/** Verification of calls: the examples of each service's documentation, and forged, old and incomplete calls. */
import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { describe, it } from "node:test";
import { Webhook } from "standardwebhooks";
import type { Verification } from "../../src/hooks/hook.ts";
import { deliveryIdOf, isVerified, metaChallenge, standardSecretError } from "../../src/hooks/verify.ts";
import fc, { codePoint } from "../support/property.ts";

type Headers = Record<string, string>;
interface Example {
  verify: Verification;
  headers: Headers;
  body: string;
  /** Seconds since the epoch; the calls without a signed time are valid at any time. */
  at?: number;
  /** Header with the signature, the token or the credentials. */
  signature: string;
}

const mac = (algorithm: string, secret: string, text: string, encoding: "hex" | "base64") =>
  createHmac(algorithm, secret).update(text).digest(encoding);

const EXAMPLES: Record<string, Example> = {
  // The example of the Standard Webhooks specification and its libraries.
  standard: {
    verify: { type: "standard", secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw" },
    headers: {
      "webhook-id": "msg_p5jXN8AQM9LWM0D4loKWxJek",
      "webhook-timestamp": "1614265330",
      "webhook-signature": "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
    },
    body: '{"test": 2432232314}',
    at: 1_614_265_330,
    signature: "webhook-signature",
  },
  // docs.github.com, "Validating webhook deliveries", testing the validation.
  github: {
    verify: { type: "github", secret: "It's a Secret to Everybody" },
    headers: {
      "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    },
    body: "Hello, World!",
    signature: "x-hub-signature-256",
  },
  // The example of GitHub has the same header and algorithm; Meta publishes no vector.
  meta: {
    verify: { type: "meta", secret: "It's a Secret to Everybody", verifyToken: "t" },
    headers: {
      "x-hub-signature-256": "sha256=757107ea0eb2509fc211221cce984b8a37570b6d7586c22c46f4379c8b043e17",
    },
    body: "Hello, World!",
    signature: "x-hub-signature-256",
  },
  gitlab: {
    verify: { type: "gitlab", secret: "a secret token" },
    headers: { "x-gitlab-token": "a secret token" },
    body: "{}",
    signature: "x-gitlab-token",
  },
  // docs.stripe.com, "Verify webhook signatures manually": HMAC-SHA256 over `<t>.<body>` with the whole secret.
  stripe: {
    verify: { type: "stripe", secret: "whsec_test" },
    headers: {
      "stripe-signature": `t=1492774577,v1=${mac("sha256", "whsec_test", '1492774577.{"id":"evt_1"}', "hex")},v0=6ffb`,
    },
    body: '{"id":"evt_1"}',
    at: 1_492_774_577,
    signature: "stripe-signature",
  },
  // shopify.dev, "Validate the origin of your webhook": base64 without a prefix.
  "hmac, as Shopify": {
    verify: {
      ...{ type: "hmac", secret: "shpss", header: "x-shopify-hmac-sha256" },
      ...{ algorithm: "sha256", encoding: "base64", prefix: "" },
    },
    headers: { "x-shopify-hmac-sha256": mac("sha256", "shpss", "{}", "base64") },
    body: "{}",
    signature: "x-shopify-hmac-sha256",
  },
  "hmac, SHA-1 with a prefix": {
    verify: {
      type: "hmac",
      secret: "s",
      header: "x-hub-signature",
      algorithm: "sha1",
      encoding: "hex",
      prefix: "sha1=",
    },
    headers: { "x-hub-signature": `sha1=${mac("sha1", "s", "abc", "hex").toUpperCase()}` },
    body: "abc",
    signature: "x-hub-signature",
  },
  "hmac, SHA-512": {
    verify: { type: "hmac", secret: "s", header: "x-sig", algorithm: "sha512", encoding: "hex", prefix: "" },
    headers: { "x-sig": mac("sha512", "s", "abc", "hex") },
    body: "abc",
    signature: "x-sig",
  },
  // RFC 7617 section 2.
  basic: {
    verify: { type: "basic", username: "Aladdin", password: "open sesame" },
    headers: { authorization: "Basic QWxhZGRpbjpvcGVuIHNlc2FtZQ==" },
    body: "",
    signature: "authorization",
  },
};

const verified = ({ verify, headers, body, at = 0 }: Example) =>
  isVerified({ headers, body: Buffer.from(body) }, verify, at);
const isOfBody = ({ verify }: Example) => !["gitlab", "basic"].includes(verify.type);

for (const [name, example] of Object.entries(EXAMPLES)) {
  describe(`verification: ${name}`, () => {
    const { headers, signature } = example;
    const with_ = (value: string) => ({ ...example, headers: { ...headers, [signature]: value } });

    it("accepts the documented call", () => {
      assert.equal(verified(example), true);
    });

    it("refuses a call without signature, and with an empty, cut, extended or other one", () => {
      const { [signature]: given = "", ...others } = headers;
      assert.equal(verified({ ...example, headers: others }), false);
      const flipped = given.replace(/[a-z0-9](?=[^a-z0-9]*$)/i, (last) => (last === "0" ? "1" : "0"));
      const wrong = ["", " ", given.slice(0, -9), given.slice(0, given.length / 2), `x${given}`, "v1,", "sha256="];
      // The scheme v0 of Stripe, at the end of its header, is ignored.
      if (name !== "stripe") wrong.push(flipped);
      for (const value of wrong) assert.equal(verified(with_(value)), false, value);
    });

    it("refuses the call with another secret", () => {
      const { verify } = example;
      const other = verify.type === "basic" ? { ...verify, password: "other" } : { ...verify, secret: "b3RoZXI=" };
      assert.equal(verified({ ...example, verify: other as Verification }), false);
    });

    if (isOfBody(example))
      it("refuses another body", () => {
        for (const body of ["", `${example.body} `, example.body.slice(1)])
          assert.equal(verified({ ...example, body }), false);
      });

    const { at } = example;
    if (at !== undefined)
      it("refuses a call that is more than five minutes old, or ahead", () => {
        const inTime: [seconds: number, expected: boolean][] = [
          ...([
            [-301, false],
            [-300, true],
            [300, true],
            [301, false],
            [86_400, false],
          ] as [number, boolean][]),
        ];
        for (const [seconds, expected] of inTime)
          assert.equal(verified({ ...example, at: at + seconds }), expected, `${seconds}`);
      });

    it("refuses any signature that is made without the secret", () => {
      fc.assert(fc.property(fc.string({ unit: codePoint }), (value) => !verified(with_(value))));
    });
  });
}

describe("verification: several signatures", () => {
  const { standard, stripe } = EXAMPLES as { standard: Example; stripe: Example };

  it("accepts one valid signature among others, while a secret is replaced", () => {
    const [own] = Object.values(standard.headers).slice(-1);
    const headers = { ...standard.headers, "webhook-signature": `v1,AAAA v1a,x ${own}` };
    assert.equal(verified({ ...standard, headers }), true);
    const text = stripe.headers["stripe-signature"]!;
    assert.equal(verified({ ...stripe, headers: { "stripe-signature": text.replace(",v1=", ",v1=00, v1=") } }), true);
  });

  it("refuses a second timestamp, timestamps that are no numbers, and the old scheme", () => {
    const text = stripe.headers["stripe-signature"]!;
    for (const value of [
      `t=1,${text}`,
      text.replace("t=", "t= "),
      text.replace("v1=", "v0="),
      text.replace("t=", "t=+"),
    ])
      assert.equal(verified({ ...stripe, headers: { "stripe-signature": value } }), false, value);
    for (const time of ["", "x", "1614265330.0", "-1614265330", " 1614265330", "0x60"])
      assert.equal(verified({ ...standard, headers: { ...standard.headers, "webhook-timestamp": time } }), false, time);
    const { "webhook-id": _, ...withoutId } = standard.headers;
    assert.equal(verified({ ...standard, headers: withoutId }), false);
  });

  it("agrees with the library of Standard Webhooks", () => {
    const now = Math.floor(Date.now() / 1_000);
    fc.assert(
      fc.property(fc.uint8Array({ minLength: 24, maxLength: 64 }), fc.string({ minLength: 1 }), (key, body) => {
        const secret = `whsec_${Buffer.from(key).toString("base64")}`;
        const signature = new Webhook(secret).sign("msg_1", new Date(now * 1_000), body);
        const headers = { "webhook-id": "msg_1", "webhook-timestamp": `${now}`, "webhook-signature": signature };
        return verified({ verify: { type: "standard", secret }, headers, body, at: now, signature: "" });
      }),
    );
  });
});

describe("a secret of Standard Webhooks", () => {
  const cases: [reason: string, secret: string, isValid: boolean][] = [
    ["with its prefix", "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true],
    ["without it", "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", true],
    ["without padding", "whsec_c2VjcmU", true],
    ["that is no base64", "whsec_c2Vj cmV0!", false],
    ["without a key", "whsec_", false],
  ];
  for (const [reason, secret, isValid] of cases)
    it(`${isValid ? "may be" : "must not be"} one ${reason}`, () => {
      assert.equal(standardSecretError(secret) === undefined, isValid);
    });
});

describe("the id of a delivery", () => {
  const of = (type: Verification["type"], headers: Headers, body = "") =>
    deliveryIdOf(type, { headers, body: Buffer.from(body) });
  const all = { "webhook-id": "a", "x-github-delivery": "b", "idempotency-key": "c", "x-gitlab-event-uuid": "d" };

  it("is the one of the service, and otherwise the first known one", () => {
    assert.equal(of("standard", all), "a");
    assert.equal(of("github", all), "b");
    assert.equal(of("meta", all), undefined);
    assert.equal(of("gitlab", all), "c");
    assert.equal(of("gitlab", { "x-gitlab-event-uuid": "d" }), "d");
    for (const type of ["none", "basic", "hmac"] as const) {
      assert.equal(of(type, all), "a");
      assert.equal(of(type, { "x-github-delivery": "b" }), "b");
    }
  });

  it("is the id of Stripe's event", () => {
    assert.equal(of("stripe", all, '{"id":"evt_1"}'), "evt_1");
    for (const body of ["", "x", "null", "[]", '{"id":7}', '{"id":""}'])
      assert.equal(of("stripe", all, body), undefined);
  });

  it("is absent where the sender has none", () => {
    assert.equal(of("github", { "webhook-id": "a", "x-github-delivery": "" }), undefined);
    assert.equal(of("none", {}), undefined);
  });
});

describe("the verification request of Meta", () => {
  const verify: Verification = { type: "meta", secret: "s", verifyToken: "token" };
  const query = { "hub.mode": "subscribe", "hub.verify_token": "token", "hub.challenge": "1158201444" };

  it("has its challenge as the answer", () => {
    assert.deepEqual(metaChallenge({ method: "GET", query }, verify), { challenge: "1158201444" });
  });

  for (const [title, wrong] of [
    ["another token", { "hub.verify_token": "tokens" }],
    ["no token", { "hub.verify_token": undefined }],
    ["an empty token", { "hub.verify_token": "" }],
    ["a repeated token", { "hub.verify_token": ["token", "token"] }],
    ["the app secret as the token", { "hub.verify_token": "s" }],
    ["another mode", { "hub.mode": "unsubscribe" }],
    ["no challenge", { "hub.challenge": undefined }],
    ["a repeated challenge", { "hub.challenge": ["1", "2"] }],
  ] as const) {
    it(`is refused with ${title}`, () => {
      assert.equal(metaChallenge({ method: "GET", query: { ...query, ...wrong } }, verify), "mismatch");
    });
  }

  it("is nothing but GET, and only at a hook of this type", () => {
    assert.equal(metaChallenge({ method: "POST", query }, verify), undefined);
    assert.equal(metaChallenge({ method: "GET", query }, { type: "github", secret: "token" }), undefined);
  });
});
