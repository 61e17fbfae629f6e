/** Why a webhook fails, from its retrying deliveries. Pure. */
import type { Delivery } from "causeway-mqtt/client";
import { causeOf } from "../../data/states.ts";

/** `nextAt`: the earliest attempt to come, in milliseconds since the epoch. `cause`: of the newest attempt. */
export function failureOf(deliveries: readonly Delivery[], now: number): { cause?: string; nextAt?: number } {
  const attempts = deliveries.flatMap(({ lastAttempt }) => lastAttempt ?? []);
  const newest = attempts.reduce<(typeof attempts)[number] | undefined>(
    (best, attempt) => (best && Date.parse(best.at) >= Date.parse(attempt.at) ? best : attempt),
    undefined,
  );
  const next = deliveries
    .flatMap(({ nextAttemptAt }) => (nextAttemptAt ? [Date.parse(nextAttemptAt)] : []))
    .filter((at) => at > now);
  return { ...(newest && { cause: causeOf(newest) }), ...(next.length > 0 && { nextAt: Math.min(...next) }) };
}
