/** Applies the rate limit of a key, and its RateLimit headers. */

import type { Allowance, Caller } from "../keys/caller.ts";
import { Problem } from "./problem.ts";

/**
 * Counts `count` requests against the rate limit. More requests than the limit are never allowed.
 * @returns the remaining allowance, undefined without a rate limit
 * @throws Problem rate_limited
 */
export function requireRate(caller: Caller, count: number): Allowance | undefined {
  const allowance = caller.take(count);
  if (!allowance || allowance.allowed) return allowance;
  const { limit, remaining, resetSeconds } = allowance;
  const detail =
    count > limit
      ? `${count} at once are more than the key's limit of ${limit}`
      : `the key may send ${limit} at once, of which ${remaining} are left; try again in ${resetSeconds} s`;
  const headers = { ...rateHeaders(allowance), "retry-after": String(resetSeconds) };
  throw new Problem("rate_limited", detail, { headers });
}

/** Returns the RateLimit headers of draft-ietf-httpapi-ratelimit-headers-06. */
export function rateHeaders({ limit, remaining, resetSeconds }: Allowance): Record<string, string> {
  return {
    "ratelimit-limit": String(limit),
    "ratelimit-remaining": String(remaining),
    "ratelimit-reset": String(resetSeconds),
  };
}
