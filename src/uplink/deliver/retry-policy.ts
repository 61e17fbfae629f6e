import { type AttemptResult, type Decision, isUnreachable } from "../attempt.ts";

export interface AttemptState {
  /** Attempts before this one that used up the schedule: 0 at the first. */
  attemptsMade: number;
  /** Seconds to wait after the first, second, … failure; after the last entry the message is dead. */
  schedule: readonly number[];
  /** Milliseconds since the epoch, for a `Retry-After` that is a date. */
  now?: number;
}

/** ± 20 %, so that what failed together does not come back together. */
const JITTER = 0.2;
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
/** `Retry-After: 0` consumes no attempt: without a floor it would be an endless loop without a pause. */
const MIN_RETRY_AFTER_MS = 1_000;

const OVERLOADED: readonly number[] = [429, 502, 503, 504];

export function decide(result: AttemptResult, attempt: AttemptState, random: () => number = Math.random): Decision {
  const { statusCode, retryAfter, error } = result;
  if (statusCode !== undefined && statusCode >= 200 && statusCode < 300 && error !== "not_accepted") {
    return { kind: "delivered" };
  }
  // It would fail again, unless it was not even evaluated.
  if ((error === "filter_error" || error === "transform_error") && !result.notEvaluated) return { kind: "dead" };
  if (statusCode === 410) return { kind: "gone" };
  if (statusCode === 429 || statusCode === 503) {
    const delayMs = retryAfterMs(retryAfter, attempt.now ?? Date.now());
    if (delayMs !== undefined) return { kind: "throttled", delayMs };
  }
  const seconds = attempt.schedule[attempt.attemptsMade];
  if (seconds === undefined) return { kind: "dead" };
  const slowDown = statusCode === undefined ? isUnreachable(error) : OVERLOADED.includes(statusCode);
  return { kind: "retryAt", delayMs: jitter(seconds * 1_000, random), slowDown };
}

function jitter(ms: number, random: () => number): number {
  return Math.round(ms * (1 - JITTER + 2 * JITTER * random()));
}

/** Milliseconds to wait, from 1 s to 24 h; undefined when the header is absent or neither of the two forms. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const value = header?.trim() ?? "";
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : httpDate(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, MIN_RETRY_AFTER_MS), MAX_RETRY_AFTER_MS);
}

/** RFC 9110 section 5.6.7: all three date forms must be read. NaN otherwise; Date.parse alone would take any date. */
function httpDate(value: string): number {
  const imfFixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
  const rfc850 = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
  const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;
  if (asctime.test(value)) return Date.parse(`${value} GMT`);
  return imfFixdate.test(value) || rfc850.test(value) ? Date.parse(value) : Number.NaN;
}
