/**
 * Verifies Standard Webhooks 1.0 signatures with Web Crypto, which Node.js, Deno, Bun and Workers share. The
 * `standardwebhooks` package reads a body as UTF-8 text, which fails for binary payloads, and fixes the tolerance.
 */
import type { webcrypto } from "node:crypto";
import { fromBase64 } from "./base64.ts";
import { RefusedCall } from "./errors.ts";

/** Header names in lower case. */
export type CallHeaders = Readonly<Record<string, string | undefined>>;

const PREFIX = "whsec_";
/** The specification allows secrets of 24 to 64 bytes. */
const [MIN_BYTES, MAX_BYTES] = [24, 64];
/** A rotation needs two signatures. More cost time before the caller is known. */
const MAX_SIGNATURES = 16;

export interface VerifierOptions {
  secrets: readonly string[];
  toleranceSeconds: number;
  /** Milliseconds since the epoch. */
  now(): number;
}

/** Checks calls against several secrets, so that a secret can be rotated. */
export class SignatureVerifier {
  readonly #secrets: readonly Uint8Array<ArrayBuffer>[];
  #keys: Promise<webcrypto.CryptoKey[]> | undefined;

  /** Throws when a secret is malformed; the message does not contain it. */
  constructor(private readonly options: VerifierOptions) {
    if (options.secrets.length === 0) throw new TypeError("a receiver needs a secret");
    if (!(options.toleranceSeconds > 0)) throw new TypeError("toleranceSeconds must be a positive number");
    this.#secrets = options.secrets.map(parseSecret);
  }

  /** Throws a {@link RefusedCall} with status 401 unless the call is signed with one of the secrets, and recent. */
  async verify(headers: CallHeaders, body: Uint8Array<ArrayBuffer>): Promise<void> {
    const [id, timestamp, signatures] = ["webhook-id", "webhook-timestamp", "webhook-signature"].map((name) => {
      const value = headers[name];
      if (!value) throw new RefusedCall(401, `no ${name}`);
      return value;
    }) as [string, string, string];
    this.#checkTime(timestamp);
    const given = signatures.split(" ").slice(0, MAX_SIGNATURES).flatMap(macOf);
    const signed = concatenated(new TextEncoder().encode(`${id}.${timestamp}.`), body);
    this.#keys ??= Promise.all(this.#secrets.map(importKey));
    for (const key of await this.#keys) {
      for (const mac of given) {
        // Web Crypto compares in constant time.
        if (await crypto.subtle.verify("HMAC", key, mac, signed)) return;
      }
    }
    throw new RefusedCall(401, "no matching signature");
  }

  #checkTime(timestamp: string): void {
    if (!/^\d{1,12}$/.test(timestamp)) throw new RefusedCall(401, "webhook-timestamp is not a time");
    const ageSeconds = Math.floor(this.options.now() / 1_000) - Number(timestamp);
    if (Math.abs(ageSeconds) > this.options.toleranceSeconds) {
      throw new RefusedCall(401, `webhook-timestamp is too ${ageSeconds > 0 ? "old" : "new"}`);
    }
  }
}

function parseSecret(secret: unknown): Uint8Array<ArrayBuffer> {
  if (secret === undefined) throw new TypeError("the secret is undefined: is its environment variable set?");
  const key =
    typeof secret === "string" && secret.startsWith(PREFIX) ? fromBase64(secret.slice(PREFIX.length)) : undefined;
  if (key === undefined) throw new TypeError("a secret must be whsec_ followed by base64");
  if (key.length < MIN_BYTES || key.length > MAX_BYTES) {
    throw new TypeError(`a secret must hold ${MIN_BYTES} to ${MAX_BYTES} bytes`);
  }
  return key;
}

/** The bytes of `v1,<base64>`; none for another version or malformed base64. */
function macOf(signature: string): Uint8Array<ArrayBuffer>[] {
  const mac = signature.startsWith("v1,") ? fromBase64(signature.slice(3)) : undefined;
  return mac ? [mac] : [];
}

function importKey(secret: Uint8Array<ArrayBuffer>): Promise<webcrypto.CryptoKey> {
  return crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["verify"]);
}

function concatenated(head: Uint8Array, body: Uint8Array): Uint8Array<ArrayBuffer> {
  const all = new Uint8Array(head.length + body.length);
  all.set(head);
  all.set(body, head.length);
  return all;
}
