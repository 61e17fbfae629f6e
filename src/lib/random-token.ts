import { randomBytes } from "node:crypto";

const BYTES = 32;

/** A secret for a URL or cookie: 43 characters of base64url. */
export function randomToken(): string {
  return randomBytes(BYTES).toString("base64url");
}
