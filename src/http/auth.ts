/** Authentication: by bearer key, compared in constant time, or by the cookie of a browser session. */

import type { FastifyRequest } from "fastify";
import { type Caller, ROOT } from "../keys/caller.ts";
import { constantTimeEqual } from "../lib/digest.ts";
import { Problem } from "./problem.ts";
import { sessionToken } from "./session-cookie.ts";
import type { BrowserSession, Sessions } from "./sessions.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Owner of the request's key; null, despite the type, for operations without a key. */
    caller: Caller;
    /** Set if the request was authenticated by the cookie of a session. */
    session: BrowserSession | null;
  }
}

/** Returns the owner of a token; undefined for an invalid token. */
export type Authenticate = (bearer: string) => Caller | undefined;

export interface Authentication {
  authenticate: Authenticate;
  /** Absent: only bearer keys. */
  sessions?: Pick<Sessions, "find" | "isOpen">;
}

/** Accepts exactly `apiKey`, compared in constant time. Timing reveals only its length, which is no secret. */
export function bearerCheck(apiKey: string): Authenticate {
  return (bearer) => (constantTimeEqual(bearer, apiKey) ? ROOT : undefined);
}

/** Accepts the tokens of both. */
export function eitherOf(first: Authenticate, second: Authenticate): Authenticate {
  return (bearer) => first(bearer) ?? second(bearer);
}

/**
 * Identifies the caller: at once by a bearer key, which takes precedence, or by a session, which the store may be asked
 * for.
 * @throws Problem unauthorized, csrf_header_required; or rejects with them
 */
export function callerOf(
  request: FastifyRequest,
  { authenticate, sessions }: Authentication,
): Caller | Promise<Caller> {
  const bearer = bearerOf(request);
  if (bearer === undefined && sessions) {
    const token = sessionToken(request);
    if (token !== undefined) return callerBySession(request, token, sessions);
  }
  const caller = bearer === undefined ? undefined : authenticate(bearer);
  if (caller) return caller;
  throw unauthorized("send the header Authorization: Bearer <API key>");
}

export function unauthorized(detail: string): Problem {
  return new Problem("unauthorized", detail, { headers: { "www-authenticate": "Bearer" } });
}

/** Whether the key or session of an accepted request is still valid: a stream may outlive it. */
export function isGood(request: FastifyRequest, { authenticate, sessions }: Authentication): boolean {
  if (request.session) return sessions!.isOpen(request.session);
  const bearer = bearerOf(request);
  return bearer !== undefined && authenticate(bearer) !== undefined;
}

/** The secret by which the caller of an accepted request was identified; "" for an operation without a key. */
export function credentialOf(request: FastifyRequest): string {
  return (request.session ? sessionToken(request) : request.headers.authorization) ?? "";
}

function bearerOf({ headers: { authorization } }: FastifyRequest): string | undefined {
  // The scheme is case-insensitive (RFC 9110 section 11.1).
  const isBearer = authorization !== undefined && authorization.slice(0, 7).toLowerCase() === "bearer ";
  return isBearer ? authorization.slice(7).trim() : undefined;
}

const SAFE_METHODS = ["GET", "HEAD"];

async function callerBySession(
  request: FastifyRequest,
  token: string,
  sessions: Pick<Sessions, "find">,
): Promise<Caller> {
  // Pages of other origins can send cookies along, but not this header without a preflight.
  if (!SAFE_METHODS.includes(request.method) && request.headers["x-causeway-request"] !== "1") {
    throw new Problem("csrf_header_required", "with the cookie of a session, send the header x-causeway-request: 1");
  }
  const found = await sessions.find(token);
  if (!found) throw unauthorized("the session has ended: sign in again");
  request.session = found.session;
  return found.caller;
}
