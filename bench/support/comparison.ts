/** Comparisons of a scenario's rounds: bridge with bare side, with another checkout, and bare side with itself. */
import { median, medianRatio } from "./figures.ts";
import type { Round } from "./scenario.ts";

export interface Spread {
  min: number;
  median: number;
  max: number;
}

/** Returns undefined for no values. */
export function spreadOf(values: number[]): Spread | undefined {
  if (values.length === 0) return undefined;
  return { min: Math.min(...values), median: median(values), max: Math.max(...values) };
}

function valuesOf(rounds: Round[], side: keyof Round, key: string): number[] {
  return rounds.flatMap((round) => round[side]?.[key] ?? []);
}

/** The median of one figure of one side over all rounds. */
export function typical(rounds: Round[], side: keyof Round, key: string): number {
  return median(valuesOf(rounds, side, key));
}

/** The median of bridge/bare over the rounds. */
export function ratioToBare(rounds: Round[], key: string): number {
  return medianRatio(rounds.map(({ bridge, bare }) => ({ bridge: bridge[key]!, bare: bare![key]! })));
}

/** Spread of this/other per key, computed round by round. Empty without another checkout. */
export function againstOther(rounds: Round[], keys: string[]): Record<string, Spread> {
  const entries = keys.flatMap((key) => {
    const pairs = rounds.filter(({ bridge, other }) => bridge[key] !== undefined && other?.[key] !== undefined);
    const found = spreadOf(pairs.map(({ bridge, other }) => bridge[key]! / other![key]!));
    return found ? [[key, found] as const] : [];
  });
  return Object.fromEntries(entries);
}

/** Spread of the bare side between rounds, which shows the drift of the machine and not of the bridge. */
export function driftOf(rounds: Round[], key: string): Spread | undefined {
  return spreadOf(valuesOf(rounds, "bare", key));
}

/** Spread of all bare figures as multiples of their scenario's median. */
export function overallDrift(scenarios: { rounds: Round[]; key: string }[]): Spread | undefined {
  return spreadOf(
    scenarios.flatMap(({ rounds, key }) => {
      const values = valuesOf(rounds, "bare", key);
      const middle = median(values);
      return values.map((value) => value / middle);
    }),
  );
}
