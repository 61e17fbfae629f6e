/** Which secrets sign, and how a new one takes the place of the old. Pure. */
import type { Webhook } from "./webhook.ts";

/** The grace is 0 to 604,800 seconds. */
export interface Rotation {
  secret: string;
  graceSeconds: number;
}

/** With the new secret; the old one signs as well until the grace is over. One from an earlier rotation is dropped. */
export function rotated(webhook: Webhook, { secret, graceSeconds }: Rotation, now: number): Webhook {
  const { oldSecret: _dropped, ...rest } = webhook;
  const changed = { ...rest, secret, updatedAt: new Date(now).toISOString() };
  if (graceSeconds === 0 || secret === webhook.secret) return changed;
  const until = new Date(now + graceSeconds * 1_000).toISOString();
  return { ...changed, oldSecret: { secret: webhook.secret, until } };
}

/** The new one first, since a receiver may look at the first signature only. @param now milliseconds since the epoch */
export function signingSecrets({ secret, oldSecret }: Webhook, now: number): string[] {
  return oldSecret && Date.parse(oldSecret.until) > now ? [secret, oldSecret.secret] : [secret];
}
