/** OAuth 2 access tokens by client credentials (RFC 6749 section 4.4): fetched once, shared, cached until expiry. */
import { LRUCache } from "lru-cache";
import type { ReceiverAuth } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";
import type { Sender } from "./client.ts";

export type OAuth2 = Extract<ReceiverAuth, { type: "oauth2" }>;

/** `isNew`: the token was not cached. `error`: human-readable and without any secret. */
export type TokenResult = { token: string; isNew: boolean } | { error: string };

export interface TokensOptions {
  send: Sender["send"];
  /** Monotonic clock in milliseconds. */
  now?: () => number;
}

/** Milliseconds for the whole token request. */
const TIMEOUT_MS = 10_000;
const MAX_ANSWER_BYTES = 64 * 1_024;
/** Allows for the receiver's clock and latency: a token is dropped this early, or at half of a short lifetime. */
const MARGIN_MS = 30_000;
/** Lifetime of a token without `expires_in`, which is only recommended. */
const USUAL_LIFE_MS = 300_000;
const MAX_LIFE_MS = 24 * 3_600_000;
const MAX_TOKENS = 10_000;
/** Error codes of RFC 6749 section 5.2. Nothing else of a response is repeated: it could echo credentials. */
const CODES = /^(?:invalid_(?:request|client|grant|scope)|unauthorized_client|unsupported_grant_type)$/;

export class Tokens {
  readonly #options: TokensOptions;
  readonly #known = new LRUCache<string, { token: string; until: number }>({ max: MAX_TOKENS });
  readonly #underWay = new Map<string, Promise<TokenResult>>();

  constructor(options: TokensOptions) {
    this.#options = options;
  }

  /** Returns a cached or new token; concurrent callers share one token request. Never rejects. */
  get(auth: OAuth2): Promise<TokenResult> {
    const key = keyOf(auth);
    const found = this.#known.get(key);
    if (found && this.#now() < found.until) return Promise.resolve({ token: found.token, isNew: false });
    this.#known.delete(key);
    let request = this.#underWay.get(key);
    if (!request) {
      request = this.#fetch(auth, key).finally(() => this.#underWay.delete(key));
      this.#underWay.set(key, request);
    }
    return request;
  }

  /** Drops a token that the receiver refused. A token that has already replaced it stays. */
  refused(auth: OAuth2, token: string): void {
    const key = keyOf(auth);
    if (this.#known.get(key)?.token === token) this.#known.delete(key);
  }

  async #fetch(auth: OAuth2, key: string): Promise<TokenResult> {
    const askedAt = this.#now();
    const result = await this.#options.send(tokenRequest(auth));
    const answer = readAnswer(result);
    if ("error" in answer) return answer;
    const lifeMs = Math.min(answer.lifeMs, MAX_LIFE_MS);
    this.#known.set(key, { token: answer.token, until: askedAt + Math.max(lifeMs - MARGIN_MS, lifeMs / 2) });
    return { token: answer.token, isNew: true };
  }

  #now(): number {
    return this.#options.now?.() ?? performance.now();
  }
}

function tokenRequest({ tokenUrl, clientId, clientSecret, scope, audience }: OAuth2) {
  const form = new URLSearchParams({ grant_type: "client_credentials" });
  if (scope !== undefined) form.set("scope", scope);
  if (audience !== undefined) form.set("audience", audience);
  // RFC 6749 section 2.3.1: id and secret are form-encoded before they are joined.
  const client = `${formEncode(clientId)}:${formEncode(clientSecret)}`;
  return {
    url: tokenUrl,
    headers: {
      accept: "application/json",
      authorization: `Basic ${Buffer.from(client).toString("base64")}`,
      "content-type": "application/x-www-form-urlencoded",
    },
    body: form.toString(),
    timeoutMs: TIMEOUT_MS,
    maxResponseBytes: MAX_ANSWER_BYTES,
  };
}

function readAnswer(result: AttemptResult): { token: string; lifeMs: number } | { error: string } {
  const { statusCode, error, responseBody = "", responseTruncated } = result;
  if (statusCode === undefined) return { error: `the token endpoint could not be asked: ${error}` };
  const answer = jsonObject(responseBody);
  if (statusCode !== 200) {
    const code = typeof answer?.error === "string" && CODES.test(answer.error) ? ` ${answer.error}` : "";
    return { error: `the token endpoint answered ${statusCode}${code}` };
  }
  const { access_token: token, token_type: type = "bearer", expires_in: seconds } = answer ?? {};
  if (responseTruncated || typeof token !== "string" || !/^[\x21-\x7e]+$/.test(token)) {
    return { error: "the token endpoint answered without an access token" };
  }
  if (String(type).toLowerCase() !== "bearer")
    return { error: "the token endpoint gave a token that is no bearer token" };
  const lifeMs = Number(seconds ?? Number.NaN) * 1_000;
  return { token, lifeMs: lifeMs > 0 ? lifeMs : USUAL_LIFE_MS };
}

function jsonObject(text: string): Record<string, unknown> | undefined {
  try {
    const value: unknown = JSON.parse(text);
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : undefined;
  } catch {
    return undefined;
  }
}

function formEncode(text: string): string {
  return new URLSearchParams({ "": text }).toString().slice(1);
}

function keyOf({ tokenUrl, clientId, clientSecret, scope, audience }: OAuth2): string {
  return JSON.stringify([tokenUrl, clientId, clientSecret, scope, audience]);
}
