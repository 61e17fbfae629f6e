/** Removes a webhook's credentials from a stored response: a receiver may echo its request. Pure. */
import { hasCredentials, MASK } from "../../webhooks/header-masking.ts";
import type { Webhook } from "../../webhooks/webhook.ts";

/** Shorter values would mask ordinary words, and are no secrets. */
const MIN_LENGTH = 4;

type Credentials = Pick<Webhook, "auth" | "headers" | "secret" | "oldSecret" | "url">;

/**
 * Masks every occurrence of a secret, including overlapping ones, and the beginning of a secret at the end of the text,
 * which may be truncated there.
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

/** Returns the length of the longest prefix of the secret that ends the text; 0 below the minimum. */
function cutLength(text: string, secret: string): number {
  for (let length = Math.min(secret.length - 1, text.length); length >= MIN_LENGTH; length--) {
    if (text.endsWith(secret.slice(0, length))) return length;
  }
  return 0;
}

/** Returns the secrets that must not be stored, also as spelled in a header, a URL and JSON. */
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
  // The query may hold a token; events omit it for the same reason.
  if (URL.canParse(url)) plain.push(...[...new URL(url).searchParams.values()].filter((value) => value.length >= 8));
  return new Set(plain.flatMap(spellings));
}

function basic(user: string, password: string): string[] {
  const pair = `${user}:${password}`;
  return [pair, Buffer.from(pair).toString("base64")];
}

/** Returns the credentials after a scheme such as `Bearer`; after `Basic` also the decoded pair and its password. */
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
