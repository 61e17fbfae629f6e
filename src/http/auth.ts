/** Bearer authentication: reads the header and compares the first key in constant time. */

import type { FastifyRequest } from "fastify";
import { type Caller, ROOT } from "../keys/caller.ts";
import { constantTimeEqual } from "../lib/digest.ts";
import { Problem } from "./problem.ts";

declare module "fastify" {
  interface FastifyRequest {
    /** Owner of the request's key; null, despite the type, for operations without a key. */
    caller: Caller;
  }
}

/** Returns the owner of a token; undefined for an invalid token. */
export type Authenticate = (bearer: string) => Caller | undefined;

/** Accepts exactly `apiKey`, compared in constant time. Timing reveals only its length, which is no secret. */
export function bearerCheck(apiKey: string): Authenticate {
  return (bearer) => (constantTimeEqual(bearer, apiKey) ? ROOT : undefined);
}

/** Accepts the tokens of both. */
export function eitherOf(first: Authenticate, second: Authenticate): Authenticate {
  return (bearer) => first(bearer) ?? second(bearer);
}

/** @throws Problem unauthorized */
export function callerOf(request: FastifyRequest, authenticate: Authenticate): Caller {
  const caller = callerBehind(request, authenticate);
  if (caller) return caller;
  throw unauthorized("send the header Authorization: Bearer <API key>");
}

export function unauthorized(detail: string): Problem {
  return new Problem("unauthorized", detail, { headers: { "www-authenticate": "Bearer" } });
}

/** Whether the key of an accepted request is still valid: a stream may outlive its key. */
export function isGood(request: FastifyRequest, authenticate: Authenticate): boolean {
  return callerBehind(request, authenticate) !== undefined;
}

function callerBehind({ headers }: FastifyRequest, authenticate: Authenticate): Caller | undefined {
  const header = headers.authorization;
  // The scheme is case-insensitive (RFC 9110 section 11.1).
  const isBearer = header !== undefined && header.slice(0, 7).toLowerCase() === "bearer ";
  return isBearer ? authenticate(header.slice(7).trim()) : undefined;
}
