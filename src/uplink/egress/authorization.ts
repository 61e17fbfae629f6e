/** Adds credentials to a call: an `Authorization` header or a client certificate. */
import type { ReceiverAuth, Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";
import type { Tls } from "./client.ts";
import type { TlsCall } from "./client-pool.ts";
import { type OAuth2, Tokens } from "./oauth-tokens.ts";

export interface AuthorizedCall extends TlsCall {
  auth?: ReceiverAuth;
}

/** Returns the credentials and the TLS settings of a registration's calls. */
export function trustOf({ auth, ca }: Pick<Webhook, "auth" | "ca">): Pick<AuthorizedCall, "auth" | "tls"> {
  const certificate: Tls = auth?.type === "mtls" ? { cert: auth.cert, key: auth.key } : {};
  const tls = { ...certificate, ...(ca !== undefined && { ca }) };
  return { ...(auth && { auth }), ...(Object.keys(tls).length > 0 && { tls }) };
}

/**
 * Creates a sender that authorizes its calls and never rejects. With OAuth 2 the token request precedes the call and
 * has its own time-out; after a 401 to a cached token the call is repeated once with a new token.
 */
export function createAuthorizedSend(send: (call: TlsCall) => Promise<AttemptResult>) {
  // Without the webhook's CA, which is the receiver's: the authorization server is a different party.
  const tokens = new Tokens({ send });

  async function withToken(auth: OAuth2, call: TlsCall): Promise<AttemptResult> {
    const startedAt = performance.now();
    const timed = (result: AttemptResult) => ({ ...result, durationMs: Math.round(performance.now() - startedAt) });
    for (let mayAskAgain = true; ; mayAskAgain = false) {
      const found = await tokens.get(auth);
      if ("error" in found) return timed({ error: "auth_error", detail: found.error, durationMs: 0 });
      const result = await send(withHeader(call, `Bearer ${found.token}`));
      const known = { ...result, accessToken: found.token };
      if (result.statusCode !== 401) return timed(known);
      tokens.refused(auth, found.token);
      if (found.isNew || !mayAskAgain) return timed(known);
    }
  }

  return ({ auth, ...call }: AuthorizedCall): Promise<AttemptResult> => {
    switch (auth?.type) {
      case "basic":
        return send(withHeader(call, `Basic ${Buffer.from(`${auth.username}:${auth.password}`).toString("base64")}`));
      case "bearer":
        return send(withHeader(call, `Bearer ${auth.token}`));
      case "oauth2":
        return withToken(auth, call);
      default:
        return send(call);
    }
  };
}

function withHeader(call: TlsCall, authorization: string): TlsCall {
  return { ...call, headers: { ...call.headers, authorization } };
}
