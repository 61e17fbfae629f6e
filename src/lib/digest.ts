/** Digests that name things and secrets that are compared. */
import { createHash, timingSafeEqual } from "node:crypto";

/** 22 characters of base64url hold 132 bits: as collision-resistant as a UUID needs to be, and short in a key. */
const NAME_LENGTH = 22;

/** Short SHA-256 digest of the parts in order, as base64url. Parts are not delimited. */
export function shortDigest(...parts: (string | Uint8Array)[]): string {
  const hash = createHash("sha256");
  for (const part of parts) hash.update(part);
  return hash.digest("base64url").slice(0, NAME_LENGTH);
}

/** Whether two texts are the same, in a time that does not reveal where they differ; their lengths are not secret. */
export function constantTimeEqual(a: string, b: string): boolean {
  const [one, other] = [Buffer.from(a), Buffer.from(b)];
  return one.length === other.length && timingSafeEqual(one, other);
}
