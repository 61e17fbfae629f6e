/** The cookie of a browser session. */
import type { FastifyRequest } from "fastify";

const NAME = "causeway_session";
/** Base64url of 32 random bytes. */
const TOKEN = /^[\w-]{43}$/;

/** Returns the token of the request's cookie; undefined without one. */
export function sessionToken({ headers: { cookie } }: Pick<FastifyRequest, "headers">): string | undefined {
  if (cookie === undefined) return undefined;
  for (const pair of cookie.split(";")) {
    const [name, value] = pair.trim().split("=", 2);
    // Browsers send the cookie with the longest path first, which is this bridge's.
    if (name === NAME) return value !== undefined && TOKEN.test(value) ? value : undefined;
  }
  return undefined;
}

/** Returns the `Set-Cookie` header that sets the token, or with "" removes it. @param seconds until it expires */
export function sessionCookie({ external }: Pick<FastifyRequest, "external">, token: string, seconds: number): string {
  const attributes = [`Path=${external.prefix || "/"}`, `Max-Age=${seconds}`, "HttpOnly", "SameSite=Strict"];
  return [`${NAME}=${token}`, ...attributes, ...(external.isSecure ? ["Secure"] : [])].join("; ");
}
