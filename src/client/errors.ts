/** Errors of the client: refusals by the bridge, and failures to reach it. */
import type { FieldError, Problem, ProblemCode } from "./types.ts";

/** The bridge, or a proxy before it, refused the call. */
export class CausewayError extends Error {
  override readonly name = "CausewayError";
  readonly status: number;
  /** Stable code of the contract; undefined if the response does not come from the bridge. */
  readonly code: ProblemCode | undefined;
  /** Explanation for people; may change. */
  readonly detail: string;
  /** The refused fields. */
  readonly errors: FieldError[];
  readonly requestId: string | undefined;
  /** Time to wait before another try, from `Retry-After`. */
  readonly retryAfterMs: number | undefined;

  constructor(
    status: number,
    problem: Partial<Problem> & { detail: string },
    { requestId, retryAfterMs }: { requestId?: string | undefined; retryAfterMs?: number | undefined } = {},
  ) {
    super(`${status}${problem.code ? ` ${problem.code}` : ""}: ${problem.detail}`);
    this.status = status;
    this.code = problem.code;
    this.detail = problem.detail;
    this.errors = problem.errors ?? [];
    this.requestId = requestId;
    this.retryAfterMs = retryAfterMs;
  }
}

/** The bridge could not be reached, or the connection broke; the call may or may not have had its effect. */
export class CausewayConnectionError extends Error {
  override readonly name: string = "CausewayConnectionError";
}

/** The time limit of the call expired; the call may or may not have had its effect. */
export class CausewayTimeoutError extends CausewayConnectionError {
  override readonly name = "CausewayTimeoutError";
}

/** Whether the error is a refusal by the bridge, with one of the codes if any are given. */
export function isCausewayError<C extends ProblemCode = ProblemCode>(
  error: unknown,
  ...codes: C[]
): error is CausewayError & { readonly code: C } {
  if (!(error instanceof CausewayError)) return false;
  return codes.length === 0 || codes.some((code) => code === error.code);
}

/** Reads a response that is no success. */
export async function errorOf(response: Response, now = Date.now()): Promise<CausewayError> {
  const text = await response.text();
  const requestId = response.headers.get("x-request-id") ?? undefined;
  const retryAfterMs = parseRetryAfter(response.headers.get("retry-after"), now);
  const problem = /^application\/problem\+json/.test(response.headers.get("content-type") ?? "") && parse(text);
  const detail = text.slice(0, 200) || response.statusText || "no explanation";
  return new CausewayError(response.status, problem || { detail }, { requestId, retryAfterMs });
}

function parse(text: string): Problem | undefined {
  try {
    return JSON.parse(text) as Problem;
  } catch {
    return undefined;
  }
}

/** Seconds or an HTTP date (RFC 9110 section 10.2.3) as milliseconds from now; undefined if absent or malformed. */
export function parseRetryAfter(header: string | null, now: number): number | undefined {
  if (header === null) return undefined;
  const ms = /^\d+$/.test(header.trim()) ? Number(header) * 1_000 : Date.parse(header) - now;
  return Number.isNaN(ms) ? undefined : Math.max(0, ms);
}
