/** Time budget of a run and of each scenario: number and size of the rounds. */

/** A scenario with complete rounds is cut short after this many times its budget. */
const CUT_AFTER = 1.5;
/** Bounds of a budget as multiples of the scenario's own share, so that a late run does not starve the last ones. */
const BOUNDS = { least: 0.6, most: 2 };

/**
 * Budget of the next scenario: its share of the remaining seconds, within {@link BOUNDS}. Time saved or lost is spread
 * over all scenarios after it.
 */
export function budgetOf(secondsLeft: number, [first, ...others]: [number, ...number[]]): number {
  const proportional = (secondsLeft * first) / others.reduce((sum, share) => sum + share, first);
  return Math.min(BOUNDS.most * first, Math.max(BOUNDS.least * first, proportional));
}

/**
 * Seconds after which a scenario with `done` complete rounds is cut short. `patience` applies before the first complete
 * round: on a busy machine a late result is better than none.
 */
export function limitOf({ budget, patience, done }: { budget: number; patience: number; done: number }): number {
  const limit = budget * CUT_AFTER;
  return done === 0 ? Math.max(patience, limit) : limit;
}

export interface Progress {
  /** Number of complete rounds. */
  done: number;
  /** Seconds since the scenario started, including start-up and warm-up. */
  elapsed: number;
  /** Duration of the longest round in seconds. */
  longest: number;
  /** Time budget of the scenario in seconds. */
  budget: number;
  /** Number of rounds requested by the user; overrides the budget. */
  asked?: number;
  most: number;
}

/** Whether another round starts: always the first one, any other only if it is likely to end within the budget. */
export function anotherRound({ done, elapsed, longest, budget, asked, most }: Progress): boolean {
  if (done === 0) return true;
  if (done >= most) return false;
  return asked === undefined ? elapsed + longest <= budget : done < asked;
}

/** Number of messages for about `seconds` at the measured rate, in whole thousands and within bounds. */
export function sized(perSecond: number, seconds: number, { least, most }: { least: number; most: number }): number {
  const thousands = Math.floor((perSecond * seconds) / 1_000) * 1_000;
  return Math.min(most, Math.max(least, thousands));
}

/** Order of the sides in a round. It rotates, because the second side starts on a machine that was just busy. */
export function orderOf<T>(sides: T[], round: number): T[] {
  const first = sides.length === 0 ? 0 : round % sides.length;
  return [...sides.slice(first), ...sides.slice(0, first)];
}
