/** The ownership check of CloudEvents HTTP Webhook section 4: the request, and the effect of consent. Pure. */
import { randomBytes } from "node:crypto";
import { constantTimeEqual } from "../lib/digest.ts";
import type { Webhook } from "./webhook.ts";

/** The receiver's consent. */
export interface Consent {
  /** The receiver's limit in calls per minute; absent: no limit. */
  ratePerMinute?: number;
}

const MAX_RATE = 1_000_000;

/** Starts a check; tokens of earlier checks become invalid. */
export function pendingCheck(origin: string, now: Date): NonNullable<Webhook["verification"]> {
  return { state: "pending", at: now.toISOString(), origin, token: randomBytes(24).toString("base64url") };
}

/** The webhook after consent; undefined if another check has begun since, or this one has ended. */
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

/** `WebHook-Request-Rate`: whole calls per minute, at least 1; undefined if there is no limit to request. */
export function requestRate({ rateLimit }: Pick<Webhook, "rateLimit">): number | undefined {
  return rateLimit && Math.max(1, Math.floor(perMinute(rateLimit)));
}

/** Parses `WebHook-Allowed-Rate`; `*`, an absent and an invalid value mean no limit. */
export function consentOf(allowedRate: string | undefined): Consent {
  const text = allowedRate?.trim() ?? "";
  return /^[1-9]\d*$/.test(text) ? { ratePerMinute: Math.min(Number(text), MAX_RATE) } : {};
}

type WebhookRateLimit = NonNullable<Webhook["rateLimit"]>;

function lower(own: WebhookRateLimit | undefined, ratePerMinute: number): WebhookRateLimit {
  return own && perMinute(own) <= ratePerMinute ? own : { max: ratePerMinute, perSeconds: 60 };
}

function perMinute({ max, perSeconds }: WebhookRateLimit): number {
  return (max * 60) / perSeconds;
}

function isToken(expected: string | undefined, given: string): boolean {
  return expected !== undefined && expected !== "" && constantTimeEqual(expected, given);
}
