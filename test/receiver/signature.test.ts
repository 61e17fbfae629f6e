import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Webhook } from "standardwebhooks";
import { SignatureVerifier, type VerifierOptions } from "../../src/receiver/signature.ts";
import { newSecret, parseSecret, sign, signAll } from "../../src/uplink/request/signature.ts";
import fc, { codePoint } from "../support/property.ts";

/** Published test vector of github.com/standard-webhooks/standard-webhooks. */
const VECTOR = {
  secret: "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw",
  id: "msg_p5jXN8AQM9LWM0D4loKWxJek",
  seconds: 1_614_265_330,
  body: '{"test": 2432232314}',
  signature: "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=",
};
const headersOf = (signature: string | undefined, id = VECTOR.id, timestamp = String(VECTOR.seconds)) => ({
  "webhook-id": id,
  "webhook-timestamp": timestamp,
  "webhook-signature": signature,
});
const bytes = (text: string) => new TextEncoder().encode(text);

function verifier(fields: Partial<VerifierOptions> = {}): SignatureVerifier {
  const now = () => VECTOR.seconds * 1_000;
  return new SignatureVerifier({ secrets: [VECTOR.secret], toleranceSeconds: 300, now, ...fields });
}

describe("the verifier of signatures", () => {
  it("accepts the example of the specification", async () => {
    await verifier().verify(headersOf(VECTOR.signature), bytes(VECTOR.body));
  });

  const lists: [title: string, signatures: string][] = [
    ["a foreign signature first", `v1,${"A".repeat(43)}= ${VECTOR.signature}`],
    ["another version first", `v1a,abc ${VECTOR.signature}`],
    ["malformed base64 first", `v1,* ${VECTOR.signature}`],
  ];
  for (const [title, signatures] of lists) {
    it(`accepts a list with ${title}`, () => verifier().verify(headersOf(signatures), bytes(VECTOR.body)));
  }

  const mac = VECTOR.signature.slice(3);
  const forged: [title: string, headers: Record<string, string | undefined>, body?: string][] = [
    ["another body", headersOf(VECTOR.signature), `${VECTOR.body} `],
    ["another id", headersOf(VECTOR.signature, "msg_other")],
    ["another time", headersOf(VECTOR.signature, VECTOR.id, String(VECTOR.seconds + 1))],
    ["no signature", headersOf(undefined)],
    ["an empty signature", headersOf("v1,")],
    ["a shorter signature", headersOf(`v1,${mac.slice(0, 40)}`)],
    ["a longer signature", headersOf(`v1,AAAA${mac}`)],
    ["the signature of another version", headersOf(`v1a,${mac}`)],
    ["a signature without a version", headersOf(mac)],
    ["an empty id", headersOf(VECTOR.signature, "")],
    ["a time with a fraction", headersOf(VECTOR.signature, VECTOR.id, `${VECTOR.seconds}.0`)],
    ["a negative time", headersOf(VECTOR.signature, VECTOR.id, `-${VECTOR.seconds}`)],
    ["a time that is no number", headersOf(VECTOR.signature, VECTOR.id, "now")],
  ];
  for (const [title, headers, body = VECTOR.body] of forged) {
    it(`refuses ${title}`, async () => {
      await assert.rejects(verifier().verify(headers, bytes(body)), { name: "RefusedCall", status: 401 });
    });
  }

  it("accepts times up to the tolerance, and no others", async () => {
    for (const [offset, accepts] of [
      [-61, false],
      [-60, true],
      [60, true],
      [61, false],
    ] as const) {
      const at = verifier({ toleranceSeconds: 60, now: () => (VECTOR.seconds + offset) * 1_000 });
      const verified = at.verify(headersOf(VECTOR.signature), bytes(VECTOR.body));
      if (accepts) await verified;
      else await assert.rejects(verified, { status: 401, message: /^webhook-timestamp is too (old|new)$/ });
    }
  });

  it("accepts the signature of each of its secrets, and of no other", async () => {
    const [old, current, other] = [newSecret(), newSecret(), newSecret()];
    const both = verifier({ secrets: [old, current] });
    const body = bytes("1");
    const signatureOf = (...secrets: string[]) =>
      headersOf(signAll(secrets.map(parseSecret), VECTOR.id, VECTOR.seconds, Buffer.from(body)));
    for (const secrets of [[old], [current], [other, current]]) await both.verify(signatureOf(...secrets), body);
    await assert.rejects(both.verify(signatureOf(other), body), { status: 401 });
  });

  it("agrees with the published library on text, and with the bridge on any bytes", async () => {
    await fc.assert(
      fc.asyncProperty(fc.uint8Array(), fc.string({ unit: codePoint }), async (payload, unpaired) => {
        const text = unpaired.toWellFormed();
        const at = new Date(VECTOR.seconds * 1_000);
        await verifier().verify(headersOf(new Webhook(VECTOR.secret).sign(VECTOR.id, at, text)), bytes(text));
        const own = sign(parseSecret(VECTOR.secret), VECTOR.id, VECTOR.seconds, Buffer.from(payload));
        await verifier().verify(headersOf(own), new Uint8Array(payload));
        const more = new Uint8Array([...payload, 0]);
        await assert.rejects(verifier().verify(headersOf(own), more), { status: 401 });
      }),
      { numRuns: 50 },
    );
  });

  const secrets: [title: string, secret: unknown, reason: RegExp][] = [
    ["that is undefined", undefined, /undefined: is its environment variable set/],
    ["without its prefix", VECTOR.secret.slice(6), /whsec_ followed by base64/],
    ["that is no base64", "whsec_s3cr3t-s3cr3t-s3cr3t-s3cr3t-xx", /whsec_ followed by base64/],
    ["without padding", `whsec_${Buffer.alloc(25, "s3cr3t").toString("base64url")}`, /whsec_ followed by base64/],
    ["that is too short", `whsec_${Buffer.alloc(23, "s3cr3t").toString("base64")}`, /24 to 64 bytes/],
    ["that is too long", `whsec_${Buffer.alloc(65, "s3cr3t").toString("base64")}`, /24 to 64 bytes/],
  ];
  for (const [title, secret, reason] of secrets) {
    it(`refuses a secret ${title}, without repeating it`, () => {
      assert.throws(
        () => verifier({ secrets: [secret as string] }),
        ({ message }: Error) => reason.test(message) && !message.includes(String(secret ?? "no text").slice(-8)),
      );
    });
  }

  it("refuses to be created without a secret or a tolerance", () => {
    assert.throws(() => verifier({ secrets: [] }), TypeError);
    for (const toleranceSeconds of [0, -1, Number.NaN]) assert.throws(() => verifier({ toleranceSeconds }), TypeError);
  });
});
