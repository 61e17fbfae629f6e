/** The ownership check of CloudEvents HTTP Webhook section 4: what is asked, and what follows from consent. Pure. */
import { randomBytes, timingSafeEqual } from "node:crypto";
import type { Webhook } from "./webhook.ts";

/** The receiver agreed. */
export interface Consent {
  /** Calls a minute that it takes at most; absent: it set no limit. */
  ratePerMinute?: number;
}

const MAX_RATE = 1_000_000;

/** A check that begins now; a token that was given out before is of no use any more. */
export function pendingCheck(origin: string, now: Date): NonNullable<Webhook["verification"]> {
  return { state: "pending", at: now.toISOString(), origin, token: randomBytes(24).toString("base64url") };
}

/** After consent; undefined when another check has begun since, or this one is over. */
export function agreed(webhook: Webhook, token: string, consent: Consent, now: Date): Webhook | undefined {
  const { verification, rateLimit } = webhook;
  if (!verification || !isToken(verification.token, token)) return undefined;
  const { token: _used, ...rest } = verification;
  const at = now.toISOString();
  return {
    ...webhook,
    ...(consent.ratePerMinute !== undefined && { rateLimit: lower(rateLimit, consent.ratePerMinute) }),
    verification: { ...rest, state: "verified", at },
    updatedAt: at,
  };
}

/** `WebHook-Request-Rate`: whole calls a minute, at least 1; undefined where there is no limit to ask for. */
export function requestRate({ rateLimit }: Pick<Webhook, "rateLimit">): number | undefined {
  return rateLimit && Math.max(1, Math.floor(perMinute(rateLimit)));
}

/** What a `WebHook-Allowed-Rate` means; `*`, nothing and nonsense are no limit. */
export function consentOf(allowedRate: string | undefined): Consent {
  const text = allowedRate?.trim() ?? "";
  return /^[1-9]\d*$/.test(text) ? { ratePerMinute: Math.min(Number(text), MAX_RATE) } : {};
}

type RateLimit = NonNullable<Webhook["rateLimit"]>;

function lower(own: RateLimit | undefined, ratePerMinute: number): RateLimit {
  return own && perMinute(own) <= ratePerMinute ? own : { max: ratePerMinute, perSeconds: 60 };
}

function perMinute({ max, perSeconds }: RateLimit): number {
  return (max * 60) / perSeconds;
}

/** In constant time. */
function isToken(expected: string | undefined, given: string): boolean {
  const [one, other] = [Buffer.from(expected ?? ""), Buffer.from(given)];
  return one.length > 0 && one.length === other.length && timingSafeEqual(one, other);
}
