/** Idempotency keys in the store: taken by one request at a time, then kept with what its repetitions need. */
import { createCipheriv, createDecipheriv, createHmac, hash, randomBytes } from "node:crypto";
import type { ExpiringKeys } from "../store/store.ts";
import { Problem } from "./problem.ts";

/** The part of the store's expiring keys that idempotency needs. */
export type IdempotencyKeys = Pick<ExpiringKeys, "setIfAbsent" | "put" | "release">;

/** Value of an expiring key: the keyed digest of the request's body and, once available, the encrypted response. */
interface KeyEntry {
  body: string;
  answer?: string;
}

export interface KeptResponse {
  status: number;
  contentType?: string | undefined;
  location?: string | undefined;
  payload: string;
}

/** The expiring key that a request holds, and the secret that encrypts its response. */
export interface HeldKey {
  key: string;
  body: string;
  secret: Buffer;
}

const KEPT_SECONDS = 24 * 3600;

/**
 * How long a process that dies during the work blocks its keys. The longest operation is a request to a device: 60 s,
 * plus some time for its subscription and its publish.
 */
const RUNNING_SECONDS = 90;

/**
 * Takes the idempotency key, or returns the existing response.
 * @param runningSeconds time after which the key is free again unless it is kept or taken once more
 * @throws Problem
 */
export async function take(
  expiringKeys: IdempotencyKeys,
  scope: unknown[],
  digest: string,
  runningSeconds = RUNNING_SECONDS,
): Promise<HeldKey | KeptResponse> {
  const text = JSON.stringify(scope);
  const body = createHmac("sha256", hash("sha256", `body ${text}`, "buffer"))
    .update(digest)
    .digest("base64url");
  const key = `idempotency-${hash("sha256", text)}`;
  const secret = hash("sha256", `answer ${text}`, "buffer");
  const found = await expiringKeys
    .setIfAbsent(key, JSON.stringify({ body } satisfies KeyEntry), runningSeconds)
    .catch((cause) => {
      const headers = { "retry-after": "1" };
      throw new Problem("store_unavailable", "the idempotency key could not be checked", { headers, cause });
    });
  if (found === undefined) return { key, body, secret };
  const entry: KeyEntry = JSON.parse(found);
  if (entry.body !== body) {
    throw new Problem("idempotency_mismatch", "this Idempotency-Key was used with another body");
  }
  if (!entry.answer) {
    const detail = "the first request with this Idempotency-Key is still in progress";
    throw new Problem("idempotency_in_progress", detail, { headers: { "retry-after": "1" } });
  }
  return decrypt(entry.answer, secret);
}

const CIPHER = "aes-256-gcm";
const IV_BYTES = 12;
const TAG_BYTES = 16;

function encrypt(answer: KeptResponse, secret: Buffer): string {
  const iv = randomBytes(IV_BYTES);
  const cipher = createCipheriv(CIPHER, secret, iv);
  const text = Buffer.concat([cipher.update(JSON.stringify(answer)), cipher.final()]);
  return Buffer.concat([iv, cipher.getAuthTag(), text]).toString("base64");
}

function decrypt(encrypted: string, secret: Buffer): KeptResponse {
  const bytes = Buffer.from(encrypted, "base64");
  const text = bytes.subarray(IV_BYTES + TAG_BYTES);
  const cipher = createDecipheriv(CIPHER, secret, bytes.subarray(0, IV_BYTES), { authTagLength: TAG_BYTES });
  cipher.setAuthTag(bytes.subarray(IV_BYTES, IV_BYTES + TAG_BYTES));
  return JSON.parse(Buffer.concat([cipher.update(text), cipher.final()]).toString());
}

/** Extends the time in which the key is running. */
export function prolong(expiringKeys: IdempotencyKeys, { key, body }: HeldKey, runningSeconds: number): Promise<void> {
  return expiringKeys.put(key, JSON.stringify({ body } satisfies KeyEntry), runningSeconds);
}

/** Stores the response, unless a retry may succeed: 5xx and 429 release the key. */
export function keep(
  expiringKeys: IdempotencyKeys,
  { key, body, secret }: HeldKey,
  answer: KeptResponse,
  seconds = KEPT_SECONDS,
): Promise<void> {
  if (answer.status >= 500 || answer.status === 429) return expiringKeys.release(key);
  const entry: KeyEntry = { body, answer: encrypt(answer, secret) };
  return expiringKeys.put(key, JSON.stringify(entry), seconds);
}
