/** The vocabulary of delivery: the result of one attempt to call a webhook, and the decision that follows from it. */

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

/** Whether the failure is the endpoint's, or lies between it and us. */
export function isUnreachable(error: ErrorKind | undefined): boolean {
  return error !== undefined && UNREACHABLE.includes(error);
}
