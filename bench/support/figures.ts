/** Arithmetic on figures, and their formatting. */

/** Averages the two middle values of an even number, so that two rounds do not count as the lower one alone. */
export function median(values: number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  const half = sorted.length / 2;
  const middle = sorted.slice(Math.ceil(half) - 1, Math.floor(half) + 1);
  return middle.reduce((sum, value) => sum + value, 0) / middle.length;
}

/** Percentile by nearest rank; NaN for no values. */
export function percentile(values: number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.max(0, Math.ceil((percent / 100) * sorted.length) - 1)] ?? Number.NaN;
}

export function perSecond(value: number): string {
  return `${Math.round(value).toLocaleString("en")}/s`;
}

export function ms(value: number): string {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

/**
 * The median of the per-round ratios, not the ratio of the medians: on a shared machine, other load most likely slows
 * down both sides of a round.
 */
export function medianRatio(rounds: { bridge: number; bare: number }[]): number {
  return median(rounds.map(({ bridge, bare }) => bridge / bare));
}
