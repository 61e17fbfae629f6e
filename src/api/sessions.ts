/** Handlers for the sessions of browsers. */
import { type Authenticate, unauthorized } from "../http/auth.ts";
import type { Handlers } from "../http/contract/index.ts";
import { Problem } from "../http/problem.ts";
import { requireRate } from "../http/rate-limit.ts";
import { sessionCookie, sessionToken } from "../http/session-cookie.ts";
import type { Sessions } from "../http/sessions.ts";
import { ROOT, SCOPES } from "../keys/caller.ts";
import type { KeyDto, Keys } from "../keys/keys.ts";
import type { SignInLimit } from "../keys/sign-in-limit.ts";

export interface SessionPorts {
  authenticate: Authenticate;
  sessions: Pick<Sessions, "create" | "end">;
  keys: Pick<Keys, "get">;
  signInLimit: Pick<SignInLimit, "secondsUntil" | "failed">;
}

type Rights = Pick<KeyDto, "name" | "scopes" | "publish" | "read" | "expiresAt">;

/** The first key, which has no record. */
const ROOT_RIGHTS: Rights = { name: "root", scopes: [...SCOPES], publish: ["#"], read: ["#"], expiresAt: null };

export function sessionHandlers({ authenticate, sessions, keys, signInLimit }: SessionPorts) {
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
      const caller = authenticate(request.body.key);
      if (!caller) {
        signInLimit.failed(address);
        throw unauthorized("the key is not valid");
      }
      requireRate(caller, 1);
      const session = await sessions.create(caller.id, rightsOf(caller.id).expiresAt);
      reply.header("set-cookie", sessionCookie(request, session.token, session.seconds));
      return undefined;
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
      };
    },
    deleteSession: async (request, reply) => {
      const token = sessionToken(request);
      if (token !== undefined) await sessions.end(token);
      reply.header("set-cookie", sessionCookie(request, "", 0));
      return undefined;
    },
  } satisfies Partial<Handlers>;
}
