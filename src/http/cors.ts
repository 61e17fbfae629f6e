/** Cross-origin requests of browsers (WHATWG Fetch section 3.2), for the configured origins only. */
import type { FastifyReply, FastifyRequest } from "fastify";

/** Response headers that scripts of other origins may read, besides those that Fetch always exposes. */
export const EXPOSED_HEADERS = [
  "allow",
  "etag",
  "idempotent-replayed",
  "location",
  "mqtt-qos",
  "mqtt-retain",
  "mqtt-user-property",
  "preference-applied",
  "ratelimit-limit",
  "ratelimit-remaining",
  "ratelimit-reset",
  "retry-after",
  "x-request-id",
];

/** How long browsers keep the result of a preflight; Chromium keeps none longer. */
const MAX_AGE_SECONDS = 7_200;

/** Adds the CORS headers to the reply. Returns true for a preflight, which it has answered. */
export type Cors = (request: FastifyRequest, reply: FastifyReply) => boolean;

/**
 * A preflight is answered before authentication, because browsers send it without the API key. Credentials (cookies)
 * are never allowed: a page of another origin needs a key.
 */
export function createCors(origins: readonly string[]): Cors {
  if (origins.length === 0) return () => false;
  const allowed = new Set(origins);
  return ({ headers, method }, reply) => {
    reply.header("vary", "Origin");
    const { origin } = headers;
    if (origin === undefined || !allowed.has(origin)) return false;
    reply.header("access-control-allow-origin", origin);
    reply.header("access-control-expose-headers", EXPOSED_HEADERS.join(", "));
    if (method !== "OPTIONS" || headers["access-control-request-method"] === undefined) return false;
    reply
      .code(204)
      .headers({
        vary: "Origin, Access-Control-Request-Headers",
        "access-control-allow-methods": "GET, HEAD, POST, PUT, PATCH, DELETE",
        "access-control-allow-headers": headers["access-control-request-headers"] ?? "authorization",
        "access-control-max-age": String(MAX_AGE_SECONDS),
      })
      .send();
    return true;
  };
}
