/** The receiver's side of the ownership check: CloudEvents HTTP Webhook section 4. Pure. */
import type { CallHeaders } from "./signature.ts";

const METHODS = "POST, PUT, PATCH, OPTIONS";

export interface ConsentResponse {
  status: 204 | 403;
  headers: Record<string, string>;
}

/**
 * Agrees in the response. `WebHook-Request-Callback` is never called: anyone may send this request, and could make the
 * receiver call any address.
 * @param allowedOrigins bridges that may call; absent: any
 */
export function consentTo(headers: CallHeaders, allowedOrigins?: readonly string[]): ConsentResponse {
  const origin = headers["webhook-request-origin"]?.trim();
  if (!origin) return { status: 204, headers: { allow: METHODS } };
  const isAllowed = allowedOrigins?.some((allowed) => allowed.toLowerCase() === origin.toLowerCase()) ?? true;
  if (!isAllowed) return { status: 403, headers: {} };
  return {
    status: 204,
    headers: {
      allow: METHODS,
      "webhook-allowed-origin": origin,
      // Section 4.2.2: required in the response to a request with a rate.
      ...(headers["webhook-request-rate"] !== undefined && { "webhook-allowed-rate": "*" }),
    },
  };
}
