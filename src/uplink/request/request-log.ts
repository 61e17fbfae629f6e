/** The request of an attempt as the log keeps it: without its body, with credentials masked, and limited in size. Pure. */
import { hasCredentials, MASK, maskHeaders } from "../../webhooks/header-masking.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { SentRequest } from "../attempt.ts";
import { maskSecrets, secretsOf } from "./mask-secrets.ts";

/** With fifty attempts the log of a delivery stays far below the size of a large payload. */
const MAX_URL = 1_024;
const MAX_HEADERS = 2_048;
const MAX_VALUE = 256;

/** @param accessToken the OAuth 2 token that was sent, if any */
export function loggedRequest(
  { method, url, headers }: SentRequest,
  webhook: Webhook,
  accessToken?: string,
): SentRequest {
  const secrets = secretsOf({ ...webhook, url: "" }, accessToken);
  const { auth } = webhook;
  const authorization: Record<string, string> = auth && auth.type !== "mtls" ? { authorization: MASK } : {};
  const shown: Record<string, string> = {};
  let room = MAX_HEADERS;
  for (const [name, value] of Object.entries({ ...maskHeaders(headers), ...authorization })) {
    const text = cut(maskSecrets(value, secrets), MAX_VALUE);
    room -= name.length + text.length;
    if (room < 0) break;
    shown[name] = text;
  }
  return { method, url: cut(maskSecrets(maskUrl(url, webhook.url), secrets), MAX_URL), headers: shown };
}

/**
 * Masks user information, and values of the query that look like credentials.
 * @param template the registered URL: values that come from a topic are no credentials
 */
export function maskUrl(url: string, template: string): string {
  const [base, query] = splitQuery(url.replace(/(?<=^[a-z]+:\/\/)[^/?#]*@/i, `${MASK}@`));
  if (query === undefined) return base;
  const registered = splitQuery(template)[1]?.split("&") ?? [];
  const masked = query.split("&").map((pair, i) => {
    const [name, value] = splitPair(pair);
    return value !== undefined && isCredential(name, splitPair(registered[i] ?? pair)[1] ?? "")
      ? `${name}=${MASK}`
      : pair;
  });
  return `${base}?${masked.join("&")}`;
}

/** A long value of letters and digits without words is probably a token. */
function isCredential(name: string, value: string): boolean {
  return hasCredentials({ [name]: value }) || /^(?=.*\d)(?=.*[a-z])[\w.~%+-]{16,}$/i.test(value);
}

function splitQuery(url: string): [base: string, query?: string] {
  const at = url.indexOf("?");
  return at === -1 ? [url] : [url.slice(0, at), url.slice(at + 1)];
}

function splitPair(pair: string): [name: string, value?: string] {
  const at = pair.indexOf("=");
  return at === -1 ? [pair] : [pair.slice(0, at), pair.slice(at + 1)];
}

function cut(text: string, length: number): string {
  return text.length > length ? `${text.slice(0, length - 1)}…` : text;
}
