/** When a page reads again by itself after a failure. Pure. */
import { isCausewayError } from "causeway-mqtt/client";

/** Wait after a failure that names no other one. */
export const RECOVERY_MS = 5_000;
/** A wait in whole seconds can be rounded down to none. */
const LEAST_MS = 1_000;

/**
 * Returns the wait before the next read in milliseconds: after an outage of the bridge or of the way to it, and after
 * too many calls. Undefined: the refusal stays as it is.
 */
export function recoveryMs(error: Error): number | undefined {
  if (!isCausewayError(error) || error.status >= 500) return RECOVERY_MS;
  if (error.status === 429) return Math.max(LEAST_MS, error.retryAfterMs ?? RECOVERY_MS);
  return undefined;
}

/** Returns the interval of reading. @param everyMs the one without a failure; undefined: it is read once */
export function intervalAfter(error: Error | null, everyMs: number | undefined): number | false {
  const waitMs = error ? recoveryMs(error) : undefined;
  if (waitMs === undefined) return everyMs ?? false;
  // Reading sooner than the bridge asks would only use up further calls.
  const isAsked = isCausewayError(error) && error.status === 429;
  return isAsked ? Math.max(waitMs, everyMs ?? 0) : Math.min(waitMs, everyMs ?? waitMs);
}
