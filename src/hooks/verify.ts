/** Verification of calls, each as the documentation of the service describes it, and the ids of deliveries. Pure. */
import { createHmac, hash } from "node:crypto";
import { constantTimeEqual } from "../lib/digest.ts";
import type { HmacVerification, Verification } from "./hook.ts";

/** A call as it was received. */
export interface SignedCall {
  /** By lower-case name; a repeated header is one text, joined with commas. */
  headers: Record<string, string | undefined>;
  body: Buffer;
}

type Type = Verification["type"];
type VerificationCheck<T extends Type> = (
  call: SignedCall,
  verify: Extract<Verification, { type: T }> & { type: T },
  nowSeconds: number,
) => boolean;

/** Age of a signed timestamp, and how far it may be ahead; Standard Webhooks and Stripe recommend five minutes. */
const TOLERANCE_SECONDS = 300;
/** Signatures of one call that are compared: a sender has more than one only while its secret changes. */
const MAX_SIGNATURES = 16;
const SECRET_PREFIX = "whsec_";

const checks: { [T in Type]: VerificationCheck<T> } = {
  none: () => true,

  // https://github.com/standard-webhooks/standard-webhooks: `v1,<base64>`, several separated by spaces.
  standard({ headers, body }, { secret }, now) {
    const [id, timestamp] = [headers["webhook-id"], headers["webhook-timestamp"]];
    const signatures = (headers["webhook-signature"] ?? "").split(" ", MAX_SIGNATURES);
    if (!id || !isRecent(timestamp, now)) return false;
    const expected = hmac("sha256", standardKey(secret), [`${id}.${timestamp}.`, body], "base64");
    return signatures.some((one) => one.startsWith("v1,") && constantTimeEqual(one.slice("v1,".length), expected));
  },

  // https://docs.github.com/webhooks/using-webhooks/validating-webhook-deliveries
  github: (call, { secret }) => hasHubSignature(call, secret),

  // https://developers.facebook.com/docs/messenger-platform/webhooks: the same header, with the app secret.
  meta: (call, { secret }) => hasHubSignature(call, secret),

  // https://docs.gitlab.com/user/project/integrations/webhooks/: the secret itself, in a header.
  gitlab: ({ headers }, { secret }) => isSecret(headers["x-gitlab-token"], secret),

  // https://docs.stripe.com/webhooks#verify-manually: `t=<seconds>,v1=<hex>`, several v1.
  stripe({ headers, body }, { secret }, now) {
    const parts = (headers["stripe-signature"] ?? "").split(",", 2 * MAX_SIGNATURES).map((part) => part.trim());
    const valuesOf = (name: string) =>
      parts.filter((part) => part.startsWith(name)).map((part) => part.slice(name.length));
    const [timestamp, ...others] = valuesOf("t=");
    if (others.length > 0 || !isRecent(timestamp, now)) return false;
    const expected = hmac("sha256", secret, [`${timestamp}.`, body], "hex");
    return valuesOf("v1=").some((one) => constantTimeEqual(one, expected));
  },

  hmac({ headers, body }, { secret, header, algorithm, encoding, prefix }) {
    const given = headers[header];
    if (given === undefined || !given.startsWith(prefix)) return false;
    const signature = given.slice(prefix.length);
    const expected = hmac(algorithm, secret, [body], encoding);
    return constantTimeEqual(encoding === "hex" ? signature.toLowerCase() : signature, expected);
  },

  // RFC 7617.
  basic({ headers }, { username, password }) {
    const [, credentials] = /^basic +([A-Za-z0-9+/=]+)$/i.exec(headers.authorization ?? "") ?? [];
    const given = credentials === undefined ? undefined : Buffer.from(credentials, "base64").toString();
    return isSecret(given, `${username}:${password}`);
  },
};

/** Whether the call comes from the sender that knows the secret, and is recent where it has a signed time. */
export function isVerified(call: SignedCall, verify: Verification, nowSeconds: number): boolean {
  const check = checks[verify.type] as VerificationCheck<Type>;
  return check(call, verify as never, nowSeconds);
}

/**
 * Returns the text that answers the verification request of Meta; "mismatch" if it is not for this hook; undefined if
 * the call is another one.
 */
export function metaChallenge(
  { method, query }: { method: string; query: Record<string, unknown> },
  verify: Verification,
): { challenge: string } | "mismatch" | undefined {
  if (verify.type !== "meta" || method !== "GET") return undefined;
  const { "hub.mode": mode, "hub.verify_token": token, "hub.challenge": challenge } = query;
  const isOfMeta = mode === "subscribe" && typeof challenge === "string" && typeof token === "string";
  return isOfMeta && isSecret(token, verify.verifyToken) ? { challenge } : "mismatch";
}

/** Returns the error in a secret of Standard Webhooks; undefined when the secret is valid. */
export function standardSecretError(secret: string): string | undefined {
  const text = secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret;
  // Buffer.from skips invalid characters; the comparison detects them.
  const isBase64 = Buffer.from(text, "base64").toString("base64").replace(/=+$/, "") === text.replace(/=+$/, "");
  return isBase64 && standardKey(secret).length > 0 ? undefined : "must be base64, with or without whsec_ before it";
}

function standardKey(secret: string): Buffer {
  return Buffer.from(secret.startsWith(SECRET_PREFIX) ? secret.slice(SECRET_PREFIX.length) : secret, "base64");
}

function hasHubSignature({ headers, body }: SignedCall, secret: string): boolean {
  const expected = `sha256=${hmac("sha256", secret, [body], "hex")}`;
  return constantTimeEqual(headers["x-hub-signature-256"] ?? "", expected);
}

function hmac(
  algorithm: HmacVerification["algorithm"],
  key: string | Buffer,
  parts: (string | Buffer)[],
  encoding: "hex" | "base64",
): string {
  const mac = createHmac(algorithm, key);
  for (const part of parts) mac.update(part);
  return mac.digest(encoding);
}

function isRecent(timestamp: string | undefined, now: number): timestamp is string {
  return (
    timestamp !== undefined && /^\d{1,12}$/.test(timestamp) && Math.abs(now - Number(timestamp)) <= TOLERANCE_SECONDS
  );
}

/** Compares digests, so that not even the length of the secret is revealed. */
function isSecret(given: string | undefined, secret: string): boolean {
  return given !== undefined && constantTimeEqual(hash("sha256", given), hash("sha256", secret));
}

/** Headers in which services send an id that all attempts of a delivery have in common. */
const ID_HEADERS = ["webhook-id", "x-github-delivery", "idempotency-key", "x-gitlab-event-uuid"];

const idHeaders: Partial<Record<Type, readonly string[]>> = {
  // The signature covers no other header.
  standard: ["webhook-id"],
  github: ["x-github-delivery"],
  // Meta sends none: `message.mid` tells a repeated event.
  meta: [],
  // An event that a webhook of GitLab caused has the UUID of the first event, but its own key.
  gitlab: ["idempotency-key", "x-gitlab-event-uuid"],
};

/** The sender's id of the delivery, the same for each of its attempts; undefined if there is none. */
export function deliveryIdOf(type: Type, { headers, body }: SignedCall): string | undefined {
  if (type === "stripe") return eventIdOf(body);
  return (idHeaders[type] ?? ID_HEADERS).map((name) => headers[name]).find((id) => id !== undefined && id !== "");
}

function eventIdOf(body: Buffer): string | undefined {
  try {
    const { id } = JSON.parse(body.toString()) as { id?: unknown };
    return typeof id === "string" && id !== "" ? id : undefined;
  } catch {
    return undefined;
  }
}
