/** Ranges and steps of the metrics over time. Pure. */
import { type Refused, refuseField } from "../../errors.ts";

/** `seconds` that a range reaches back, its default step, and the step in which it is stored. */
const RANGES = {
  "1h": { seconds: 3_600, step: 60, stored: 60 },
  "24h": { seconds: 86_400, step: 300, stored: 60 },
  "30d": { seconds: 2_592_000, step: 3_600, stored: 3_600 },
};

export type Range = keyof typeof RANGES;

export interface SeriesQuery {
  range: Range;
  stepSeconds?: number;
}

/** The steps of a response: `count` of them from `from` on, in milliseconds since the epoch. */
export interface Steps {
  range: Range;
  stepMs: number;
  from: number;
  count: number;
}

/** Returns the steps up to the one that contains `now`. Steps begin at multiples of their duration. */
export function stepsOf({ range, stepSeconds }: SeriesQuery, now: number): Steps | Refused {
  const { seconds, step, stored } = RANGES[range];
  const chosen = stepSeconds ?? step;
  if (chosen % stored !== 0 || seconds % chosen !== 0) {
    const message = `must be a multiple of ${stored} that divides ${seconds}, the seconds of ${range}`;
    return refuseField("invalid_request", "query.stepSeconds", message);
  }
  const [stepMs, count] = [chosen * 1_000, seconds / chosen];
  return { range, stepMs, count, from: (Math.floor(now / stepMs) - count + 1) * stepMs };
}
