/** Checks the API key again during a long request. */
import type { FastifyRequest } from "fastify";
import { unauthorized } from "../http/auth.ts";

export interface KeyCheck {
  /** Whether the API key of a request is still valid. */
  isValid(request: FastifyRequest): boolean;
}

/** Rejects a key that became invalid during a long request. @throws Problem unauthorized */
export function requireValid(request: FastifyRequest, { isValid }: KeyCheck): void {
  if (!isValid(request)) throw unauthorized("the key was withdrawn, or has expired, after the request began");
}
