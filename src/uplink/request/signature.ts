/** Standard Webhooks 1.0 signatures: HMAC-SHA256 over `id.timestamp.body`. A receiver needs no Causeway library. */
import { createHmac, randomBytes } from "node:crypto";

const PREFIX = "whsec_";
/** The specification allows secrets of 24 to 64 bytes. */
const [MIN_BYTES, MAX_BYTES] = [24, 64];

/** Creates a secret of 32 random bytes in its textual form: `whsec_` and base64. */
export function newSecret(): string {
  return PREFIX + randomBytes(32).toString("base64");
}

/** Returns the key in a secret. Throws when the secret is malformed; the error message never contains it. */
export function parseSecret(secret: string): Buffer {
  const text = secret.startsWith(PREFIX) ? secret.slice(PREFIX.length) : undefined;
  const key = Buffer.from(text ?? "", "base64");
  // Buffer.from skips invalid characters. The comparison detects them and missing padding, which receivers refuse too.
  if (text === undefined || key.toString("base64") !== text) throw new Error("must be whsec_ followed by base64");
  if (key.length < MIN_BYTES || key.length > MAX_BYTES) {
    throw new Error(`must hold ${MIN_BYTES} to ${MAX_BYTES} bytes`);
  }
  return key;
}

/** Returns the error in a secret; undefined when the secret is valid. */
export function secretError(secret: string): string | undefined {
  try {
    parseSecret(secret);
    return undefined;
  } catch (error) {
    return (error as Error).message;
  }
}

/** Returns `v1,<base64>` for the `webhook-signature` header. `timestampSeconds` is the value of `webhook-timestamp`. */
export function sign(secretKey: Buffer, id: string, timestampSeconds: number, body: string | Buffer): string {
  const mac = createHmac("sha256", secretKey).update(`${id}.${timestampSeconds}.`).update(body);
  return `v1,${mac.digest("base64")}`;
}

/** Returns one signature per key, separated by spaces: during a rotation the old and the new secret both verify. */
export function signAll(
  secretKeys: readonly Buffer[],
  ...[id, timestampSeconds, body]: [id: string, timestampSeconds: number, body: string | Buffer]
): string {
  return secretKeys.map((key) => sign(key, id, timestampSeconds, body)).join(" ");
}
