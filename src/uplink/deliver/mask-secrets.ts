/** Removes a webhook's credentials from the text that is kept of an answer: a receiver may echo what it is sent. Pure. */
import { hasCredentials, MASK } from "../../webhooks/header-masking.ts";
import type { Webhook } from "../../webhooks/webhook.ts";

/** Shorter ones would hide ordinary words, and are no secrets. */
const MIN_LENGTH = 4;

type Credentials = Pick<Webhook, "auth" | "headers" | "secret" | "oldSecret" | "url">;

/**
 * Replaces every occurrence of a secret, also where occurrences overlap, and the beginning of one at the end of the
 * text, which may have been cut there.
 */
export function maskSecrets(text: string, secrets: Iterable<string>): string {
  const hidden = new Uint8Array(text.length);
  let found = false;
  for (const secret of secrets) {
    if (secret.length < MIN_LENGTH) continue;
    for (let at = text.indexOf(secret); at !== -1; at = text.indexOf(secret, at + 1)) {
      hidden.fill(1, at, at + secret.length);
      found = true;
    }
    const cut = cutLength(text, secret);
    if (cut > 0) {
      hidden.fill(1, text.length - cut);
      found = true;
    }
  }
  if (!found) return text;
  let masked = "";
  for (let i = 0; i < text.length; i++) {
    if (!hidden[i]) masked += text[i];
    else if (!hidden[i - 1]) masked += MASK;
  }
  return masked;
}

/** How much of the secret's beginning ends the text. */
function cutLength(text: string, secret: string): number {
  for (let length = Math.min(secret.length - 1, text.length); length >= MIN_LENGTH; length--) {
    if (text.endsWith(secret.slice(0, length))) return length;
  }
  return 0;
}

/** What must not be kept of an answer: the secrets, and how they look in a header, a URL and JSON. */
export function secretsOf({ auth, headers, secret, oldSecret, url }: Credentials, accessToken?: string): Set<string> {
  const plain: string[] = [secret, oldSecret?.secret ?? ""];
  for (const text of [...plain]) plain.push(text.replace(/^whsec_/, ""));
  if (accessToken !== undefined) plain.push(accessToken);
  if (auth?.type === "bearer") plain.push(auth.token);
  if (auth?.type === "basic") plain.push(auth.password, ...basic(auth.username, auth.password));
  if (auth?.type === "oauth2") plain.push(auth.clientSecret, ...basic(auth.clientId, auth.clientSecret));
  for (const [name, value] of Object.entries(headers)) {
    if (hasCredentials({ [name]: value })) plain.push(value, ...partsOf(value));
  }
  // As in the events, where a URL has no query: it may hold a token.
  if (URL.canParse(url)) plain.push(...[...new URL(url).searchParams.values()].filter((value) => value.length >= 8));
  return new Set(plain.flatMap(spellings));
}

function basic(user: string, password: string): string[] {
  const pair = `${user}:${password}`;
  return [pair, Buffer.from(pair).toString("base64")];
}

/** The credentials behind a scheme, as in `Bearer …`, and the pair behind `Basic`. */
function partsOf(value: string): string[] {
  const [, scheme = "", rest = ""] = /^([A-Za-z]+) +(\S+)$/.exec(value) ?? [];
  if (scheme.toLowerCase() !== "basic") return [rest];
  const pair = Buffer.from(rest, "base64").toString();
  return [rest, pair, pair.slice(pair.indexOf(":") + 1)];
}

function spellings(text: string): string[] {
  const form = new URLSearchParams({ "": text }).toString().slice(1);
  const unpadded = text.replace(/=+$/, "");
  const json = JSON.stringify(text).slice(1, -1);
  return [text, unpadded, json, form, encodeURIComponent(text.toWellFormed())];
}
