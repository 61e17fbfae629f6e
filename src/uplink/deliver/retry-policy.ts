import { type AttemptResult, type Decision, isUnreachable } from "../attempt.ts";

export interface AttemptState {
  /** Earlier attempts that count against the schedule; 0 at the first. */
  attemptsMade: number;
  /** Seconds to wait after the first, second, … failure; one more failure makes a dead letter. */
  schedule: readonly number[];
  /** Milliseconds since the epoch, for a `Retry-After` that is a date. */
  now?: number;
}

/** ± 20 %, so that deliveries that failed together are not retried together. */
const JITTER = 0.2;
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
/** `Retry-After: 0` consumes no attempt: without a minimum it would loop endlessly without a pause. */
const MIN_RETRY_AFTER_MS = 1_000;

const OVERLOADED: readonly number[] = [429, 502, 503, 504];

export function decide(result: AttemptResult, attempt: AttemptState, random: () => number = Math.random): Decision {
  const { statusCode, retryAfter, error } = result;
  if (statusCode !== undefined && statusCode >= 200 && statusCode < 300 && error !== "not_accepted") {
    return { kind: "delivered" };
  }
  // The topic stays the same.
  if (error === "url_error") return { kind: "dead" };
  // The expression would fail again, unless it was not evaluated.
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

/** Parses `Retry-After` to milliseconds, from 1 s to 24 h; undefined if absent or in neither of its two forms. */
export function retryAfterMs(header: string | undefined, now: number): number | undefined {
  const value = header?.trim() ?? "";
  const ms = /^\d+$/.test(value) ? Number(value) * 1_000 : httpDate(value) - now;
  return Number.isNaN(ms) ? undefined : Math.min(Math.max(ms, MIN_RETRY_AFTER_MS), MAX_RETRY_AFTER_MS);
}

/** Parses the three date forms of RFC 9110 section 5.6.7, NaN otherwise; Date.parse alone would accept any date. */
function httpDate(value: string): number {
  const imfFixdate = /^[A-Z][a-z]{2}, \d{2} [A-Z][a-z]{2} \d{4} \d{2}:\d{2}:\d{2} GMT$/;
  const rfc850 = /^[A-Z][a-z]{5,8}, \d{2}-[A-Z][a-z]{2}-\d{2} \d{2}:\d{2}:\d{2} GMT$/;
  const asctime = /^[A-Z][a-z]{2} [A-Z][a-z]{2} [ \d]\d \d{2}:\d{2}:\d{2} \d{4}$/;
  if (asctime.test(value)) return Date.parse(`${value} GMT`);
  return imfFixdate.test(value) || rfc850.test(value) ? Date.parse(value) : Number.NaN;
}
