/** Bearer authentication: reading the header, and comparing keys in constant time. */
import { timingSafeEqual } from "node:crypto";
import type { FastifyRequest } from "fastify";
import { Problem } from "../errors.ts";

/** Whether a bearer token is good. */
export type Authenticate = (bearer: string) => boolean;

/** Accepts exactly `apiKey`, compared in constant time. Only its length can be timed, and that is no secret. */
export function bearerCheck(apiKey: string): Authenticate {
  const expected = Buffer.from(apiKey);
  return (bearer) => {
    const given = Buffer.from(bearer);
    return given.length === expected.length && timingSafeEqual(given, expected);
  };
}

/** The refusal of a request without a good token, or undefined when it may go on. */
export function authProblem(request: FastifyRequest, authenticate: Authenticate): Problem | undefined {
  const header = request.headers.authorization;
  // The scheme is case-insensitive (RFC 9110 section 11.1).
  const isBearer = header !== undefined && header.slice(0, 7).toLowerCase() === "bearer ";
  if (isBearer && authenticate(header.slice(7).trim())) return undefined;
  return new Problem("unauthorized", "send the header Authorization: Bearer <API key>", {
    headers: { "www-authenticate": "Bearer" },
  });
}
