/** The cookie of a browser session. */
import type { FastifyRequest } from "fastify";

const NAME = "causeway_session";
/**
 * The session of a portal link again, for frames in pages of other origins, which browsers give no cookie with
 * SameSite=Strict. It comes first, since opening a link replaces the session of the browser as signing in does.
 */
const PORTAL = "causeway_portal";
/** Base64url of 32 random bytes. */
const TOKEN = /^[\w-]{43}$/;

/** Returns the token of the request's cookie; undefined without one. */
export function sessionToken({ headers: { cookie } }: Pick<FastifyRequest, "headers">): string | undefined {
  if (cookie === undefined) return undefined;
  const found = new Map<string, string>();
  for (const pair of cookie.split(";")) {
    const [name, value] = pair.trim().split("=", 2) as [string, string | undefined];
    // Browsers send the cookie with the longest path first, which is this bridge's.
    if (value !== undefined && !found.has(name)) found.set(name, value);
  }
  return [PORTAL, NAME].map((name) => found.get(name)).find((value) => value !== undefined && TOKEN.test(value));
}

interface SessionCookies {
  /** "" removes the cookies. */
  token: string;
  /** Until they expire. */
  seconds: number;
  /** Whether the session is of a portal link, and so may be in a frame. */
  isPortal?: boolean;
  /** Whether pages of other origins may show the dashboard in a frame. */
  isEmbedded: boolean;
}

/** Returns the `Set-Cookie` headers of a session that begins or ends. */
export function sessionCookies(
  { external: { prefix, isSecure } }: Pick<FastifyRequest, "external">,
  { token, seconds, isPortal = false, isEmbedded }: SessionCookies,
): string[] {
  const cookie = (name: string, value: string, maxAge: number, attributes: string[]) =>
    [`${name}=${value}`, `Path=${prefix || "/"}`, `Max-Age=${maxAge}`, "HttpOnly", ...attributes].join("; ");
  const own = cookie(NAME, token, seconds, ["SameSite=Strict", ...(isSecure ? ["Secure"] : [])]);
  if (!isEmbedded) return [own];
  // Browsers take SameSite=None only with Secure, and partitioned cookies of a frame belong to the page around it.
  const framed = ["SameSite=None", "Secure", "Partitioned"];
  return [own, cookie(PORTAL, isPortal ? token : "", isPortal ? seconds : 0, framed)];
}
