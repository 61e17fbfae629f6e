/** Handlers for the sessions of browsers. */

import type { FastifyRequest } from "fastify";
import { type Authenticate, unauthorized } from "../http/auth.ts";
import type { Handlers, Schemas } from "../http/contract/index.ts";
import { PORTAL_LOGO_PATH } from "../http/dashboard.ts";
import type { PortalLinks } from "../http/portal-links.ts";
import { Problem } from "../http/problem.ts";
import { requireRate } from "../http/rate-limit.ts";
import { sessionCookies, sessionToken } from "../http/session-cookie.ts";
import type { Sessions } from "../http/sessions.ts";
import { type Caller, ROOT, SCOPES } from "../keys/caller.ts";
import type { KeyDto, Keys } from "../keys/keys.ts";
import type { SignInLimit } from "../keys/sign-in-limit.ts";

export interface SessionPorts {
  authenticate: Authenticate;
  sessions: Pick<Sessions, "create" | "end">;
  portalLinks: Pick<PortalLinks, "create" | "take">;
  keys: Pick<Keys, "get" | "callerOf">;
  signInLimit: Pick<SignInLimit, "secondsUntil" | "failed">;
  /** Whether pages of other origins may show the dashboard in a frame. */
  isEmbedded: boolean;
  /** Look of the pages in portal sessions. */
  portal?: { hasLogo: boolean; accent?: string | undefined };
  /** URL of the bridge as clients reach it; absent: that of the request. */
  publicUrl?: string | undefined;
}

/** A key that signs in, and when the session ends at the latest, in milliseconds since the epoch. */
interface SignedIn {
  caller: Caller;
  until?: number;
}

type Rights = Pick<KeyDto, "name" | "scopes" | "publish" | "read" | "expiresAt">;

/** The first key, which has no record. */
const ROOT_RIGHTS: Rights = { name: "root", scopes: [...SCOPES], publish: ["#"], read: ["#"], expiresAt: null };

const NO_BRANDING: NonNullable<SessionPorts["portal"]> = { hasLogo: false };

export function sessionHandlers(ports: SessionPorts) {
  const { sessions, portalLinks, keys, signInLimit, isEmbedded } = ports;

  async function identify({ key, portalToken }: Schemas["SignIn"]): Promise<SignedIn | undefined> {
    if (portalToken === undefined) {
      const caller = ports.authenticate(key!);
      return caller && { caller };
    }
    const link = await portalLinks.take(portalToken);
    const caller = link && keys.callerOf(link.keyId);
    return caller && { caller, until: link.expiresAt };
  }
  /** @throws Problem unauthorized when the key was removed meanwhile */
  function rightsOf(keyId: string): Rights {
    const rights = keyId === ROOT.id ? ROOT_RIGHTS : keys.get(keyId);
    if (!rights) throw unauthorized("the key was withdrawn");
    return rights;
  }
  return {
    createSession: async (request, reply) => {
      const { address } = request.external;
      const seconds = signInLimit.secondsUntil(address);
      if (seconds !== undefined) {
        const detail = `too many wrong keys from this address; try again in ${seconds} s`;
        throw new Problem("rate_limited", detail, { headers: { "retry-after": String(seconds) } });
      }
      const isPortal = request.body.portalToken !== undefined;
      const signedIn = await identify(request.body);
      if (!signedIn) {
        signInLimit.failed(address);
        throw unauthorized(isPortal ? "the link is used or has expired: ask for a new one" : "the key is not valid");
      }
      const { caller, until } = signedIn;
      // A refusal would come too late for a link: it is used up.
      if (!isPortal) requireRate(caller, 1);
      const session = await sessions.create(caller.id, rightsOf(caller.id).expiresAt, until);
      reply.header("set-cookie", sessionCookies(request, { ...session, isPortal, isEmbedded }));
      return undefined;
    },
    createPortalSession: async (request, reply) => {
      const { keyId, ttlSeconds } = request.body;
      // The first key is no record, and no link has its rights.
      if (keyId === ROOT.id || !keys.callerOf(keyId)) throw new Problem("not_found", `there is no key ${keyId}`);
      const { token, expiresAt } = await portalLinks.create(keyId, ttlSeconds);
      reply.code(201).header("cache-control", "no-store");
      const url = `${ports.publicUrl ?? originOf(request)}/portal#${token}`;
      return { url, expiresAt: new Date(expiresAt).toISOString() };
    },
    getSession: (request, reply) => {
      const { session, caller } = request;
      const { name, scopes, publish, read, expiresAt } = rightsOf(caller.id);
      reply.header("cache-control", "no-store");
      return {
        name,
        scopes,
        publish,
        read,
        expiresAt: session ? new Date(session.expiresAt).toISOString() : expiresAt,
        ...(session?.isPortal && brandingOf(ports.portal, request.external.prefix)),
      };
    },
    deleteSession: async (request, reply) => {
      const token = sessionToken(request);
      if (token !== undefined) await sessions.end(token);
      reply.header("set-cookie", sessionCookies(request, { token: "", seconds: 0, isEmbedded }));
      return undefined;
    },
  } satisfies Partial<Handlers>;
}

function brandingOf({ hasLogo, accent = null } = NO_BRANDING, prefix: string) {
  if (!hasLogo && accent === null) return {};
  return { branding: { logo: hasLogo ? prefix + PORTAL_LOGO_PATH : null, accent } };
}

/** The URL of the bridge as the client has called it. */
function originOf({ headers, external: { isSecure, prefix } }: Pick<FastifyRequest, "headers" | "external">): string {
  return `${isSecure ? "https" : "http"}://${headers.host}${prefix}`;
}
