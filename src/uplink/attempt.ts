/** Types of delivery: the result of one attempt to call a webhook, and the decision that follows from it. */

import type { WebhookMethod } from "../webhooks/webhook.ts";

/** Kind of a failed call: stable names that users see as `error` in the attempt log. */
export type ErrorKind =
  | "dns_error"
  | "connection_refused"
  | "connection_reset"
  | "connect_timeout"
  | "timeout"
  | "tls_error"
  | "redirect"
  | "blocked_address"
  /** The URL template does not fit the topic: the receiver was not called. */
  | "url_error"
  /** No OAuth 2 token: the receiver was not called. */
  | "auth_error"
  | "http_error"
  | "network_error"
  /** An expression of the webhook failed: the receiver was not called. */
  | "filter_error"
  | "transform_error"
  /** The response to a batch names the event. */
  | "not_accepted"
  /** A consumer returned the event, or let its lease run out. */
  | "nacked"
  | "lease_expired";

/** A request without its body. */
export interface SentRequest {
  method: WebhookMethod;
  url: string;
  headers: Record<string, string>;
}

export interface AttemptResult {
  /** Absent when no response came. */
  statusCode?: number;
  /** The raw `Retry-After` header. */
  retryAfter?: string;
  /** Absent on 2xx, unless a batch was accepted without this event. */
  error?: ErrorKind;
  /** Cause of `error`, for users. */
  detail?: string;
  /** After `filter_error` and `transform_error`: the expression was not evaluated this time. */
  notEvaluated?: boolean;
  durationMs: number;
  /** Start of the call in milliseconds since the epoch, if the delivery waited for others (batch). */
  at?: number;
  /**
   * The call carried several events. One of them leads: the endpoint's health counts the call once, with that event.
   */
  batch?: { id: string; events: number; leads: boolean };
  /** The first bytes of the response as text. */
  responseBody?: string;
  /** The OAuth 2 access token that was sent. Never stored: it serves to mask the token in stored text. */
  accessToken?: string;
  /** The call, if one was made. Contains credentials: never stored or logged as it is. */
  request?: SentRequest;
  /** The raw response body and its content type, if they were requested. */
  body?: Buffer;
  bodyType?: string;
  /** The response was longer than the stored part, or broke off. */
  responseTruncated?: boolean;
  /** Response headers that were requested. */
  headers?: Record<string, string>;
}

export type Decision =
  | { kind: "delivered" }
  /**
   * Retry after `delayMs`. `slowDown`: the endpoint seems overloaded or unavailable, so its other deliveries should
   * wait too.
   */
  | { kind: "retryAt"; delayMs: number; slowDown: boolean }
  /** The receiver asked the whole endpoint to wait `delayMs`; no attempt is consumed. */
  | { kind: "throttled"; delayMs: number }
  /** The receiver wants no more events: the webhook is disabled, and its waiting deliveries are kept. */
  | { kind: "gone" }
  /** The schedule is used up: a dead letter. */
  | { kind: "dead" };

/**
 * No endpoint was reached, or it did not respond. `blocked_address` is the bridge's own refusal and says nothing about
 * the endpoint.
 */
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

/** Whether the failure lies at the endpoint, or between it and the bridge. */
export function isUnreachable(error: ErrorKind | undefined): boolean {
  return error !== undefined && UNREACHABLE.includes(error);
}
