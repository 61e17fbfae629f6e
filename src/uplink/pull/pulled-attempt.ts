/** Outcomes of an attempt by a consumer. Pure. */
import type { Decision } from "../attempt.ts";
import type { Attempted } from "../deliver/attempt.ts";

interface TakenDelivery {
  /** Earlier attempts that count towards the schedule. */
  attemptsMade: number;
  /** Number of retries. */
  retries: number;
  /** When the delivery was taken, in milliseconds since the epoch. */
  takenAt: number;
}

export function acked({ takenAt }: Pick<TakenDelivery, "takenAt">, now: number): Attempted {
  return { kind: "attempted", at: takenAt, result: { durationMs: now - takenAt }, decision: { kind: "delivered" } };
}

/** @param delayMs delay of the next attempt; the schedule only limits their number, since the consumer decides */
export function nacked(taken: TakenDelivery, delayMs: number, now: number): Attempted {
  const { takenAt } = taken;
  const result = { error: "nacked", durationMs: now - takenAt } as const;
  return { kind: "attempted", at: takenAt, result, decision: retryOrDead(taken, delayMs) };
}

/** An expired lease. The job no longer tells when it began, so the attempt is of the time at which that is noticed. */
export function expired(taken: Omit<TakenDelivery, "takenAt">, now: number): Attempted {
  const result = { error: "lease_expired", durationMs: 0 } as const;
  return { kind: "attempted", at: now, result, decision: retryOrDead(taken, 0) };
}

function retryOrDead({ attemptsMade, retries }: Omit<TakenDelivery, "takenAt">, delayMs: number): Decision {
  return attemptsMade < retries ? { kind: "retryAt", delayMs, slowDown: false } : { kind: "dead" };
}
