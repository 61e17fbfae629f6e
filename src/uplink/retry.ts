/** What follows from one attempt to call a webhook: the contract's answer table as a pure function. */

/** How a call failed: stable names that people see as `error` in the attempt log. */
export type ErrorKind =
  | "dns_error"
  | "connection_refused"
  | "connection_reset"
  | "connect_timeout"
  | "timeout"
  | "tls_error"
  | "redirect"
  | "blocked_address"
  /** No OAuth 2 token: the receiver was not called. */
  | "auth_error"
  | "http_error"
  | "network_error"
  /** An expression of the webhook: nobody was called. */
  | "filter_error"
  | "transform_error"
  /** The answer to a batch names the event. */
  | "not_accepted";

export interface AttemptResult {
  /** Absent when no answer came. */
  statusCode?: number;
  /** The `Retry-After` header as it came. */
  retryAfter?: string;
  /** Absent on 2xx, unless a batch was accepted without this event. */
  error?: ErrorKind;
  /** For people: what lies behind `error`. */
  detail?: string;
  /** After `filter_error` and `transform_error`: the expression was not evaluated this time. */
  notEvaluated?: boolean;
  durationMs: number;
  /** When the call began, in milliseconds since the epoch, where it waited for others. */
  at?: number;
  /** The call carried several events. One of them leads: what the endpoint did is counted with it, and only once. */
  batch?: { id: string; events: number; leads: boolean };
  /** The first bytes of the answer as text. */
  responseBody?: string;
  /** The OAuth 2 access token that was sent. Never kept: it tells what must not be kept. */
  accessToken?: string;
  /** The answer as it came, where it is wanted itself, and its content type. */
  body?: Buffer;
  bodyType?: string;
  /** The answer was longer than what was kept, or broke off. */
  responseTruncated?: boolean;
  /** Those that were asked for. */
  headers?: Record<string, string>;
}

export interface AttemptState {
  /** Attempts before this one that used up the schedule: 0 at the first. */
  attemptsMade: number;
  /** Seconds to wait after the first, second, … failure; after the last entry the message is dead. */
  schedule: readonly number[];
  /** Milliseconds since the epoch, for a `Retry-After` that is a date. */
  now?: number;
}

export type Decision =
  | { kind: "delivered" }
  /** Again after `delayMs`. `slowDown`: the endpoint seems overloaded or away, so its other deliveries should wait too. */
  | { kind: "retryAt"; delayMs: number; slowDown: boolean }
  /** The receiver asked the whole endpoint to wait `delayMs`; no attempt is consumed. */
  | { kind: "throttled"; delayMs: number }
  /** The receiver wants no more: the webhook is disabled, and what waits is kept. */
  | { kind: "gone" }
  /** The schedule is used up: a dead letter. */
  | { kind: "dead" };

/** ± 20 %, so that what failed together does not come back together. */
const JITTER = 0.2;
const MAX_RETRY_AFTER_MS = 24 * 3_600_000;
/** `Retry-After: 0` consumes no attempt: without a floor it would be an endless loop without a pause. */
const MIN_RETRY_AFTER_MS = 1_000;

const OVERLOADED: readonly number[] = [429, 502, 503, 504];
/** Nobody was reached, or nobody answered. `blocked_address` is our own refusal and says nothing about the endpoint. */
const UNREACHABLE: readonly ErrorKind[] = [
  "dns_error",
  "connection_refused",
  "connection_reset",
  "connect_timeout",
  "timeout",
  "tls_error",
  "network_error",
  "auth_error",
];

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

/** Whether the failure is the endpoint's, or lies between it and us. */
export function isUnreachable(error: ErrorKind | undefined): boolean {
  return error !== undefined && UNREACHABLE.includes(error);
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
