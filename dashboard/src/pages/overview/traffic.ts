/** Messages and deliveries over time, for the chart. Pure. */
import type { AllMetrics, MetricsPoint } from "causeway-mqtt/client";
import { isBusy } from "../../data/points.ts";

export const RANGES = ["1h", "24h", "30d"] as const;
export type Range = (typeof RANGES)[number];

interface Step {
  word: string;
  stepSeconds: number;
  /** Words after "per". */
  per: string;
  everyMs: number;
}

/** At most 144 points: as many as a chart of this size can show. */
export const STEPS: Record<Range, Step> = {
  "1h": { word: "1 h", stepSeconds: 60, per: "minute", everyMs: 10_000 },
  "24h": { word: "24 h", stepSeconds: 600, per: "10 minutes", everyMs: 60_000 },
  "30d": { word: "30 d", stepSeconds: 21_600, per: "6 hours", everyMs: 300_000 },
};

export function rangeOf(text: string | undefined): Range {
  return RANGES.find((range) => range === text) ?? "1h";
}

/**
 * Leaves out the last step, which is not over and would look like a fall; unless nothing happened before it.
 */
export function completePoints(points: readonly MetricsPoint[]): readonly MetricsPoint[] {
  const complete = points.slice(0, -1);
  return complete.some(isBusy) ? complete : points;
}

export function isEmpty({ points }: Pick<AllMetrics, "points">): boolean {
  return !points.some(isBusy);
}
