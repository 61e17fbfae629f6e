/** The time of a run and of each scenario: how many rounds fit, and how large they may be. */

/** A scenario with complete rounds ends after this many times its budget. */
const CUT_AFTER = 1.5;
/** Bounds of a budget as multiples of the scenario's own share: a late run must not starve its last scenarios. */
const BOUNDS = { least: 0.6, most: 2 };

/**
 * The first of the scenarios left gets its share of the seconds left, within {@link BOUNDS}: time saved or lost passes
 * to all scenarios after it.
 */
export function budgetOf(secondsLeft: number, [first, ...others]: [number, ...number[]]): number {
  const proportional = (secondsLeft * first) / others.reduce((sum, share) => sum + share, first);
  return Math.min(BOUNDS.most * first, Math.max(BOUNDS.least * first, proportional));
}

/**
 * Seconds after which a scenario with so many complete rounds is cut short. Until there is one, only `patience` counts:
 * on a busy machine a late result is worth more than none.
 */
export function limitOf({ budget, patience, done }: { budget: number; patience: number; done: number }): number {
  const limit = budget * CUT_AFTER;
  return done === 0 ? Math.max(patience, limit) : limit;
}

export interface Progress {
  /** Complete rounds. */
  done: number;
  /** Seconds since the scenario began, its start and warm-up included. */
  elapsed: number;
  /** Seconds that the longest round took. */
  longest: number;
  /** Seconds that the scenario may take. */
  budget: number;
  /** Rounds asked for by the user, which override the budget. */
  asked?: number;
  most: number;
}

/** Whether another round begins: the first one always does, any other only if it is likely to end in time. */
export function anotherRound({ done, elapsed, longest, budget, asked, most }: Progress): boolean {
  if (done === 0) return true;
  if (done >= most) return false;
  return asked === undefined ? elapsed + longest <= budget : done < asked;
}

/** The number of messages that take about so many seconds at a rate just measured, in whole thousands within bounds. */
export function sized(perSecond: number, seconds: number, { least, most }: { least: number; most: number }): number {
  const thousands = Math.floor((perSecond * seconds) / 1_000) * 1_000;
  return Math.min(most, Math.max(least, thousands));
}

/** The order of the sides in a round: each goes first in turn, since the second one meets a machine just busy. */
export function orderOf<T>(sides: T[], round: number): T[] {
  const first = sides.length === 0 ? 0 : round % sides.length;
  return [...sides.slice(first), ...sides.slice(0, first)];
}
