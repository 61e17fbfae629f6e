/** Signing secrets and their rotation. Pure. */
import type { Webhook } from "./webhook.ts";

/** Default grace period in which the old secret also signs. */
export const GRACE_SECONDS = 86_400;

/** The grace period is 0 to 604,800 seconds. */
export interface Rotation {
  secret: string;
  graceSeconds: number;
}

/**
 * Returns the webhook with the new secret. The old one also signs during the grace period; an even older one is
 * dropped.
 */
export function rotated(webhook: Webhook, { secret, graceSeconds }: Rotation, now: number): Webhook {
  const { oldSecret: _dropped, ...rest } = webhook;
  const changed = { ...rest, secret, updatedAt: new Date(now).toISOString() };
  if (graceSeconds === 0 || secret === webhook.secret) return changed;
  const until = new Date(now + graceSeconds * 1_000).toISOString();
  return { ...changed, oldSecret: { secret: webhook.secret, until } };
}

/**
 * The new secret comes first: a receiver may check only the first signature. @param now milliseconds since the epoch
 */
export function signingSecrets({ secret, oldSecret }: Webhook, now: number): string[] {
  return oldSecret && Date.parse(oldSecret.until) > now ? [secret, oldSecret.secret] : [secret];
}
