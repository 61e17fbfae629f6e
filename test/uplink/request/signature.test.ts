import assert from "node:assert/strict";
import { createHmac, randomBytes } from "node:crypto";
import { describe, it } from "node:test";
import { Webhook } from "standardwebhooks";
import { newSecret, parseSecret, sign, signAll } from "../../../src/uplink/request/signature.ts";
import fc, { codePoint } from "../../support/property.ts";

const id = "msg_0197a6a0-0000-7000-8000-000000000000";
const headersFor = (timestamp: number, signature: string) => ({
  "webhook-id": id,
  "webhook-timestamp": String(timestamp),
  "webhook-signature": signature,
});

describe("sign", () => {
  it("returns the specification's example", () => {
    // Published test vector of github.com/standard-webhooks/standard-webhooks, spec, "Signature scheme".
    const key = parseSecret("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw");
    const signature = sign(key, "msg_p5jXN8AQM9LWM0D4loKWxJek", 1614265330, '{"test": 2432232314}');
    assert.equal(signature, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
  });

  it("is accepted by the receivers' library, for any text", () => {
    fc.assert(
      fc.property(fc.string({ unit: codePoint }), (text) => {
        const secret = newSecret();
        const now = Math.floor(Date.now() / 1_000);
        const body = text.toWellFormed();
        for (const form of [body, Buffer.from(body)]) {
          const headers = headersFor(now, sign(parseSecret(secret), id, now, form));
          assert.doesNotThrow(() => new Webhook(secret).verify(body, headers, { jsonParse: false }));
        }
        const headers = headersFor(now, sign(parseSecret(secret), id, now, `${body}x`));
        assert.throws(() => new Webhook(secret).verify(body, headers, { jsonParse: false }));
      }),
      { numRuns: 50 },
    );
  });

  it("covers exactly the bytes of a binary body", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 2_000 }), (bytes) => {
        const key = randomBytes(32);
        const signed = Buffer.concat([Buffer.from(`${id}.1700000000.`), bytes]);
        const expected = createHmac("sha256", key).update(signed).digest("base64");
        assert.equal(sign(key, id, 1_700_000_000, Buffer.from(bytes)), `v1,${expected}`);
      }),
    );
  });

  it("signs with the old and the new secret during a rotation", () => {
    const secrets = [newSecret(), newSecret()];
    const now = Math.floor(Date.now() / 1_000);
    const signature = signAll(secrets.map(parseSecret), id, now, "{}");
    assert.match(signature, /^v1,\S+ v1,\S+$/);
    for (const secret of secrets) new Webhook(secret).verify("{}", headersFor(now, signature));
  });
});

describe("secrets", () => {
  it("are unique and 32 bytes long", () => {
    const secret = newSecret();
    assert.match(secret, /^whsec_[A-Za-z0-9+/]{43}=$/);
    assert.equal(parseSecret(secret).length, 32);
    assert.notEqual(secret, newSecret());
  });

  it("may have 24 to 64 bytes", () => {
    for (let length = 0; length <= 80; length++) {
      const key = randomBytes(length);
      const secret = `whsec_${key.toString("base64")}`;
      if (length >= 24 && length <= 64) assert.deepEqual(parseSecret(secret), key);
      else assert.throws(() => parseSecret(secret), /24 to 64 bytes/);
    }
  });

  it("are refused when malformed, without being repeated in the message", () => {
    const text = randomBytes(32).toString("base64");
    const spoilt = [
      text,
      `WHSEC_${text}`,
      `whsec_${text.slice(0, -1)}`,
      `whsec_${text}\n`,
      `whsec_ ${text}`,
      `whsec_!${text}`,
    ];
    for (const secret of spoilt) {
      assert.throws(
        () => parseSecret(secret),
        (error: Error) => !error.message.includes(text.slice(0, 40)) && /base64|bytes/.test(error.message),
      );
    }
  });
});
