/** When to try again, and after how long. */
import { backoffMs, withJitter } from "../lib/backoff.ts";
import { CausewayConnectionError, CausewayError, CausewayTimeoutError } from "./errors.ts";

/**
 * Whether the same call may succeed later. Repeating it is safe: every POST has an idempotency key, and the other
 * methods have the same effect twice. 502 and 504 are not repeated: the device may have received the message.
 */
export function isTransient(error: unknown): boolean {
  if (error instanceof CausewayTimeoutError) return false;
  if (error instanceof CausewayConnectionError) return true;
  if (!(error instanceof CausewayError)) return false;
  // The first attempt may still be running after its connection broke.
  return error.status === 429 || error.status === 503 || error.code === "idempotency_in_progress";
}

/**
 * Milliseconds before the next attempt, never less than `Retry-After`. The jitter keeps clients apart that were told
 * the same time.
 * @param failures attempts so far, from 1
 */
export function waitMs(error: unknown, failures: number, maxMs: number, random?: () => number): number {
  const asked = error instanceof CausewayError ? (error.retryAfterMs ?? 0) : 0;
  return asked + withJitter(backoffMs(failures, 250, maxMs), random);
}
