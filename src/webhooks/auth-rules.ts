/** Rules for the bridge's credentials at a receiver and for the certificate authorities it trusts there. Pure. */
import { createPrivateKey, type KeyObject, X509Certificate } from "node:crypto";
import { createSecureContext } from "node:tls";
import type { FieldError } from "../errors.ts";
import type { AuthInput, Webhook } from "./webhook.ts";

type Field = Exclude<keyof AuthInput, "type">;

/** Fields of each type; those with `?` are optional. */
const FIELDS: Record<AuthInput["type"], (Field | `${Field}?`)[]> = {
  basic: ["username", "password"],
  bearer: ["token"],
  oauth2: ["tokenUrl", "clientId", "clientSecret", "scope?", "audience?"],
  mtls: ["cert", "key"],
};

/** Allowed content of a field, besides its length; its meaning is defined by other standards. */
const TEXTS: Partial<Record<Field, { holds: RegExp; message: string }>> = {
  // RFC 7617 section 2: the first colon ends the user name.
  username: { holds: /^[^:\p{Cc}]*$/u, message: "must not contain a colon or control characters" },
  password: { holds: /^\P{Cc}*$/u, message: "must not contain control characters" },
  token: { holds: /^[\x21-\x7e]+$/, message: "must be printable ASCII without spaces" },
  // RFC 6749 appendix A.
  clientId: { holds: /^[\x20-\x7e]+$/, message: "must be printable ASCII" },
  clientSecret: { holds: /^[\x20-\x7e]+$/, message: "must be printable ASCII" },
  scope: {
    holds: /^[\x21\x23-\x5b\x5d-\x7e]+(?: [\x21\x23-\x5b\x5d-\x7e]+)*$/,
    message: "must be scopes separated by single spaces",
  },
  audience: { holds: /^[\x20-\x7e]+$/, message: "must be printable ASCII" },
};

/** Returns all errors in `auth`, except whether its token URL may be called. No message contains a secret. */
export function authErrors(auth: AuthInput): FieldError[] {
  const { type, ...given } = auth;
  const own = FIELDS[type].map((field) => field.replace("?", "") as Field);
  const required = FIELDS[type].filter((field): field is Field => !field.endsWith("?"));
  const at = (field: string, message: string): FieldError => ({ path: `auth.${field}`, message });
  const errors = [
    ...required.filter((field) => auth[field] === undefined).map((field) => at(field, `is required with type ${type}`)),
    ...Object.keys(given)
      .filter((field) => !own.includes(field as Field))
      .map((field) => at(field, `does not belong to type ${type}`)),
    ...own.flatMap((field) => {
      const [value, rule] = [auth[field], TEXTS[field]];
      return value === undefined || !rule || rule.holds.test(value) ? [] : [at(field, rule.message)];
    }),
  ];
  if (errors.length > 0 || type !== "mtls") return errors;
  return clientCertificateErrors(auth.cert!, auth.key!).map(([field, message]) => at(field, message));
}

/** Returns the error in a bundle of certificate authorities, if any. */
export function caError(ca: string): string | undefined {
  return certificatesOf(ca) ? undefined : "must contain valid certificates in PEM form and nothing else";
}

/** Returns the errors in dependencies between fields, in the registration as a whole. */
export function trustErrors({
  url,
  auth,
  ca,
  headers,
}: Pick<Webhook, "url" | "auth" | "ca" | "headers">): FieldError[] {
  const errors: FieldError[] = [];
  const own = Object.keys(headers).find((name) => name.toLowerCase() === "authorization");
  if (own !== undefined && auth && auth.type !== "mtls") {
    errors.push({ path: `headers.${own}`, message: `must not be given together with auth of type ${auth.type}` });
  }
  // Without TLS neither would have any effect, but the user would rely on it.
  if (!/^https:/i.test(url)) {
    const message = "needs a url with https";
    if (auth?.type === "mtls") errors.push({ path: "auth.type", message: `mtls ${message}` });
    if (ca !== undefined) errors.push({ path: "ca", message });
  }
  return errors;
}

function clientCertificateErrors(cert: string, key: string): [field: "cert" | "key", message: string][] {
  const [first] = certificatesOf(cert) ?? [];
  const secret = privateKeyOf(key);
  if (!first || !secret) {
    return [
      ...(first
        ? []
        : [["cert", "must be a certificate in PEM form, with the chain behind it if there is one"] as const]),
      ...(secret ? [] : [["key", "must be an unencrypted private key in PEM form"] as const]),
    ].map(([field, message]) => [field, message]);
  }
  if (!first.checkPrivateKey(secret)) return [["key", "is not the key of auth.cert"]];
  try {
    // OpenSSL decides: it refuses, for example, keys that are too short.
    createSecureContext({ cert, key });
    return [];
  } catch {
    return [["cert", "is refused by OpenSSL"]];
  }
}

const BLOCK = /-----BEGIN ([A-Z0-9 ]+)-----[^-]*-----END \1-----/g;

/** Undefined if the text contains no certificate, an invalid one, or any other PEM block. */
function certificatesOf(pem: string): X509Certificate[] | undefined {
  const blocks = [...pem.matchAll(BLOCK)];
  if (blocks.length === 0 || blocks.some(([, label]) => label !== "CERTIFICATE")) return undefined;
  try {
    return blocks.map(([block]) => new X509Certificate(block));
  } catch {
    return undefined;
  }
}

function privateKeyOf(pem: string): KeyObject | undefined {
  try {
    return createPrivateKey(pem);
  } catch {
    return undefined;
  }
}
