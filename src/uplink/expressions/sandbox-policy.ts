/**
 * Policy of the sandbox: which process evaluates the expressions of a key (a webhook, or a caller of the API), and when
 * they are not evaluated at all. Pure. Times are milliseconds since the epoch.
 *
 * An expression runs in the slow process until it has proved quick, and again after an overrun of its limits.
 */
import type { SandboxTask } from "./sandbox-protocol.ts";

export type Texts = Pick<SandboxTask, "filter" | "transform">;

/** Record of the expressions of one key. */
export interface Standing {
  readonly texts: Texts;
  readonly place: "fast" | "slow";
  /** Milliseconds of long evaluations; each quick one subtracts a millisecond. */
  readonly debt: number;
  /** Earliest return to the fast process after an overrun. */
  readonly apartUntil: number;
  /** Overruns as of `overrunsAt`; they decrease with time. */
  readonly overruns: number;
  readonly overrunsAt: number;
}

/** Quick evaluations that prove an expression quick. */
export const PROBATION = 3;
/** Debt that moves a key to the slow process. */
export const MAX_DEBT = 20;
/** Time in the slow process after an overrun: overruns of ten webhooks do not affect the others' 99th percentile. */
export const APART_MS = 600_000;
/** Overruns allowed per key: this many at once, and one more every REFILL_MS. */
export const ALLOWED_OVERRUNS = 6;
export const REFILL_MS = 20_000;

export function newcomer({ filter, transform }: Texts): Standing {
  return { texts: { filter, transform }, place: "slow", debt: PROBATION, apartUntil: 0, overruns: 0, overrunsAt: 0 };
}

export function isAbout({ texts }: Standing, { filter, transform }: Texts): boolean {
  return texts.filter === filter && texts.transform === transform;
}

/** New texts must prove quick again, and are evaluated even if the previous ones used up the allowance. */
export function changed(standing: Standing, texts: Texts, now: number): Standing {
  const overruns = Math.min(overrunsLeft(standing, now), ALLOWED_OVERRUNS - 2);
  return { ...newcomer(texts), apartUntil: standing.apartUntil, overruns, overrunsAt: now };
}

/** @param longMs CPU time of a long evaluation; 0 after a quick one */
export function evaluated(standing: Standing, longMs: number, now: number): Standing {
  if (longMs === 0 && standing.debt === 0 && standing.place === "fast") return standing;
  const debt = longMs > 0 ? Math.min(standing.debt + longMs, MAX_DEBT) : Math.max(standing.debt - 1, 0);
  const isProved = debt === 0 && now >= standing.apartUntil;
  return { ...standing, debt, place: isProved ? "fast" : debt >= MAX_DEBT ? "slow" : standing.place };
}

export function overran(standing: Standing, now: number): Standing {
  const overruns = overrunsLeft(standing, now) + 1;
  return { ...standing, place: "slow", debt: PROBATION, apartUntil: now + APART_MS, overruns, overrunsAt: now };
}

/** Checks whether the key used up its allowance, so that its expressions are not evaluated now. */
export function isExhausted(standing: Standing, now: number): boolean {
  return standing.overruns > 0 && overrunsLeft(standing, now) > ALLOWED_OVERRUNS - 1;
}

function overrunsLeft({ overruns, overrunsAt }: Standing, now: number): number {
  return Math.max(0, overruns - (now - overrunsAt) / REFILL_MS);
}
