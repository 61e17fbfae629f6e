/** All refusals of the API: a catalogue of stable codes, returned as RFC 9457 problem details. */

/** code → HTTP status and title. The codes are part of the contract: client programs compare them. */
export const catalogue = {
  invalid_request: [400, "The request is not valid"],
  invalid_topic: [400, "The topic name is not valid"],
  invalid_topic_filter: [400, "The topic filter is not valid"],
  invalid_url: [400, "The URL is not valid"],
  blocked_address: [400, "The address is not allowed"],
  unauthorized: [401, "A valid API key is required"],
  forbidden_topic: [403, "The key may not use this topic"],
  insufficient_scope: [403, "The key may not do this"],
  csrf_header_required: [403, "The header x-causeway-request is required"],
  verify_token_mismatch: [403, "The verify token is not that of the hook"],
  not_found: [404, "Not found"],
  no_retained_message: [404, "The topic holds no retained message"],
  method_not_allowed: [405, "The method is not allowed here"],
  slow_request: [408, "The request took too long"],
  conflict: [409, "The resource changed meanwhile"],
  idempotency_in_progress: [409, "A request with this idempotency key is still running"],
  payload_too_large: [413, "The payload is too large"],
  unsupported_media_type: [415, "The content type is not supported"],
  idempotency_mismatch: [422, "The idempotency key was used for another request"],
  credentials_required: [422, "The credentials must be set again"],
  too_many_webhooks: [422, "The limit of webhooks is reached"],
  too_many_keys: [422, "The limit of keys is reached"],
  too_many_hooks: [422, "The limit of hooks is reached"],
  expression_failed: [422, "The expressions of the hook failed"],
  rate_limited: [429, "Too many requests"],
  internal_error: [500, "Internal error"],
  broker_refused: [502, "The broker refused the message"],
  broker_unavailable: [503, "The broker is not available"],
  store_unavailable: [503, "The store is not available"],
  shutting_down: [503, "The process is shutting down"],
  broker_timeout: [504, "The broker did not acknowledge in time"],
  request_timeout: [504, "The device did not answer in time"],
} as const satisfies Record<string, readonly [status: number, title: string]>;

export type ProblemCode = keyof typeof catalogue;

/** An invalid field: `path` as in `topics[0]` or `query.limit`. */
export interface FieldError {
  path: string;
  message: string;
}

/**
 * A refusal as a value. The rooms below `api/` return it, and `api/` throws the Problem with the same code, detail and
 * fields. Never put a secret into `detail`.
 */
export class Refused {
  readonly errors: FieldError[] | undefined;
  readonly retryAfterSeconds: number | undefined;

  constructor(
    readonly code: ProblemCode,
    readonly detail: string,
    { errors, retryAfterSeconds }: { errors?: FieldError[]; retryAfterSeconds?: number } = {},
  ) {
    this.errors = errors;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Refuses a single field. */
export function refuseField(code: ProblemCode, path: string, message: string): Refused {
  return new Refused(code, `${path}: ${message}`, { errors: [{ path, message }] });
}

/** Refuses all invalid fields; undefined if there are none. An empty path is the body itself. */
export function refuseFields(errors: FieldError[], code: ProblemCode = "invalid_request"): Refused | undefined {
  if (errors.length === 0) return undefined;
  const detail = errors.map(({ path, message }) => `${path || "body"}: ${message}`).join("; ");
  return new Refused(code, detail, { errors });
}

/** A query to the broker failed: `busy` if too many are in progress. */
export class BrokerQueryError extends Error {
  override name = "BrokerQueryError";

  constructor(
    readonly kind: "unavailable" | "refused" | "busy",
    message: string,
  ) {
    super(message);
  }
}

/**
 * The process cannot start with this configuration, or because of a running process; a restart would fail too (exit
 * 78).
 */
export class CannotStartError extends Error {
  override name = "CannotStartError";
}
