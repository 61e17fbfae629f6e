/**
 * Environment → frozen Config. The only file that reads `process.env`.
 *
 * A `.env` file in the working directory is read first; the environment wins. An empty value counts as absent.
 * Every mistake is found in one go and none of the messages holds a value, so they can be printed and logged.
 * The table of all variables stands in `config/variables.ts`.
 */
import { X509Certificate } from "node:crypto";
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { createSecureContext } from "node:tls";
import { parseEnv } from "node:util";
import { envSchema } from "env-schema";
import ipaddr from "ipaddr.js";
import {
  formats,
  hasScheme,
  isPem,
  type LogLevel,
  list,
  type MqttProtocol,
  type Role,
  rolesOf,
  rules,
  schema,
  type Variables,
} from "./config/variables.ts";

export type { LogLevel, MqttProtocol, Role };

export interface Config {
  readonly http: { readonly host: string; readonly port: number };
  /** Absent: one is made and kept in `dataDir`. */
  readonly apiKey?: string;
  /** Absolute. */
  readonly dataDir: string;
  readonly logLevel: LogLevel;
  readonly mqtt: {
    /** Absent: the embedded broker. Never holds a user name or password. */
    readonly url?: string;
    readonly username?: string;
    readonly password?: string;
    /** PEM text, as are `cert` and `key`. */
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    /** Named in the TLS handshake (RFC 7301): brokers that share a port with HTTPS tell by it that MQTT comes. */
    readonly alpn?: string;
    readonly protocol: MqttProtocol;
    readonly clientId: string;
  };
  readonly broker: {
    readonly host: string;
    readonly port: number;
    readonly username?: string;
    readonly password?: string;
  };
  /** Absent: the embedded store. May hold a password: show it through {@link redactUrl} only. */
  readonly storeUrl?: string;
  /** Encrypt secrets in the store: the first one; all of them decrypt. */
  readonly secretsKeys: readonly string[];
  /** What this process does, each once. */
  readonly roles: readonly Role[];
  /** CIDRs; loopback is among them when broker and store are both embedded. */
  readonly webhookAllowNetworks: readonly string[];
  readonly maxPayloadBytes: number;
  /** Requests that wait for their answer, in this process. */
  readonly maxPendingRequests: number;
  /** Deliveries of a webhook that wait; beyond them the oldest are discarded. */
  readonly maxWaitingDeliveries: number;
  readonly eventSource: string;
  /** Where receivers reach the API; without a slash at its end. */
  readonly publicUrl?: string;
}

/** Everything that is wrong with the configuration, at once. Ends the process with 78 (EX_CONFIG of sysexits.h). */
export class ConfigError extends Error {
  override name = "ConfigError";

  constructor(readonly errors: readonly { name: string; message: string }[]) {
    super(errors.map(({ name, message }) => `${name}: ${message}`).join("\n"));
  }
}

const LOOPBACK = ["127.0.0.0/8", "::1/128"];
const PEMS = ["MQTT_CA", "MQTT_CERT", "MQTT_KEY"] as const;

/** Reads the configuration, or throws a {@link ConfigError} that lists everything wrong with it. */
export function loadConfig(
  env: Record<string, string | undefined> = process.env,
  { envFile = ".env" }: { envFile?: string | false } = {},
): Config {
  const mistakes = new Map<string, string>();
  const raw: Raw = { ...(envFile && readEnvFile(envFile, mistakes)), ...present(env) };
  moveUserInfo(raw);
  checkTogether(raw, mistakes);
  readPems(raw, mistakes);
  const values = validate(raw, mistakes);
  if (!values || mistakes.size > 0) throw new ConfigError(inOrder(mistakes));
  return freeze(toConfig(values));
}

/** The URL as it may be shown: without user info, and without the query, in which Redis URLs may hold a password. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return "(not a URL)";
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** Variable → what is wrong with it. */
type Mistakes = Map<string, string>;

type Raw = Record<string, string>;

function present(env: Record<string, string | undefined>): Raw {
  return Object.fromEntries(Object.entries(env).filter((entry): entry is [string, string] => Boolean(entry[1])));
}

function readEnvFile(path: string, mistakes: Mistakes): Raw {
  try {
    return present(parseEnv(readFileSync(path, "utf8")));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT") mistakes.set(path, `cannot be read (${code})`);
    return {};
  }
}

/** `mqtt://user:password@host` → MQTT_USERNAME, MQTT_PASSWORD and a URL that may be shown. */
function moveUserInfo(raw: Raw): void {
  if (!raw.MQTT_URL || !URL.canParse(raw.MQTT_URL)) return;
  const url = new URL(raw.MQTT_URL);
  if (!url.username && !url.password) return;
  if (url.username) raw.MQTT_USERNAME ??= decode(url.username);
  if (url.password) raw.MQTT_PASSWORD ??= decode(url.password);
  url.username = url.password = "";
  raw.MQTT_URL = url.href;
}

/** What one variable asks of another. Looks only at which are there, so that no mistake is listed twice. */
function checkTogether(raw: Raw, mistakes: Mistakes): void {
  const need = (name: string, wanted: string, why: string) => {
    if (raw[name] && !raw[wanted]) mistakes.set(wanted, `is required ${why}`);
  };
  need("MQTT_CERT", "MQTT_KEY", "with MQTT_CERT");
  need("MQTT_KEY", "MQTT_CERT", "with MQTT_KEY");
  need("MQTT_PASSWORD", "MQTT_USERNAME", "with a password"); // [MQTT-3.1.2-22] of 3.1.1
  need("BROKER_USERNAME", "BROKER_PASSWORD", "with BROKER_USERNAME");
  need("BROKER_PASSWORD", "BROKER_USERNAME", "with BROKER_PASSWORD");
  if (!raw.MQTT_URL && raw.BROKER_HOST && !isLoopback(raw.BROKER_HOST)) {
    const why = "because BROKER_HOST is not a loopback address: anyone could publish to your devices";
    need("BROKER_HOST", "BROKER_USERNAME", why);
    need("BROKER_HOST", "BROKER_PASSWORD", why);
  }
  checkRoles(raw, mistakes);
  if (raw.MQTT_ALPN && !hasScheme(raw.MQTT_URL ?? "", ["mqtts:"])) {
    mistakes.set("MQTT_ALPN", "is only used with MQTT over TLS: MQTT_URL must have the scheme mqtts");
  }
  for (const name of PEMS) {
    if (raw[name] && !hasScheme(raw.MQTT_URL ?? "", ["mqtts:", "wss:"])) {
      mistakes.set(name, "is only used with TLS: MQTT_URL must have the scheme mqtts or wss");
    }
  }
}

/** What is embedded belongs to one process, so that whoever splits the roles needs a server for all of them. */
function checkRoles(raw: Raw, mistakes: Mistakes): void {
  if (!raw.ROLES || !formats.roles!(raw.ROLES)) return;
  const roles = rolesOf(raw.ROLES);
  const all = rolesOf();
  if (roles.length < all.length && !raw.STORE_URL) {
    const why = "the embedded store is one process's, and processes that share the work need STORE_URL";
    mistakes.set("ROLES", `must be ${all.join()} without STORE_URL: ${why}`);
  } else if (roles.includes("api") !== roles.includes("uplink") && !raw.MQTT_URL) {
    const why = "the embedded broker is one process's, and api and uplink in two need MQTT_URL";
    mistakes.set("ROLES", `must name both api and uplink, or neither, without MQTT_URL: ${why}`);
  }
}

/** Puts the text of PEM files in the place of their paths. A path is not repeated: it could be a mangled key. */
function readPems(raw: Raw, mistakes: Mistakes): void {
  for (const name of PEMS) {
    const value = raw[name];
    if (!value) continue;
    try {
      raw[name] = isPem(value) ? value.replaceAll("\\n", "\n") : readFileSync(value, "utf8");
    } catch (error) {
      delete raw[name];
      mistakes.set(name, `is neither PEM text nor a file that can be read (${(error as NodeJS.ErrnoException).code})`);
    }
  }
  const { MQTT_CA: ca, MQTT_CERT: cert, MQTT_KEY: key } = raw;
  // Else tls.connect would throw, or a CA be passed over in silence, in the middle of a reconnect.
  const check = (name: string, message: string, use: () => unknown) => {
    try {
      use();
    } catch {
      mistakes.set(name, message);
    }
  };
  if (ca && isPem(ca)) check("MQTT_CA", "holds no valid certificate", () => new X509Certificate(ca));
  if (cert && isPem(cert)) check("MQTT_CERT", "holds no valid certificate", () => new X509Certificate(cert));
  if (cert && isPem(cert) && key && isPem(key) && !mistakes.has("MQTT_CERT")) {
    check("MQTT_KEY", "is not the unencrypted key of MQTT_CERT", () => createSecureContext({ cert, key }));
  }
}

/** What is valid, with the defaults; whatever is not stands in `mistakes`. */
function validate(raw: Raw, mistakes: Mistakes): Variables | undefined {
  try {
    return envSchema<Variables>({
      schema,
      data: raw,
      env: false,
      ajv: {
        customOptions: (ajv) => {
          for (const [name, check] of Object.entries(formats)) ajv.addFormat(name, check);
          return ajv;
        },
      },
    });
  } catch (error) {
    if (!(error instanceof Error && "errors" in error)) throw error;
    for (const { instancePath } of error.errors as { instancePath: string }[]) {
      const name = instancePath.slice(1) as keyof Variables;
      mistakes.set(name, rules[name].expected);
    }
    return undefined;
  }
}

function toConfig(v: Variables): Config {
  const embedded = !v.MQTT_URL && !v.STORE_URL;
  return {
    http: { host: v.HOST, port: v.PORT },
    apiKey: v.API_KEY,
    dataDir: resolve(v.DATA_DIR),
    logLevel: v.LOG_LEVEL,
    mqtt: {
      url: v.MQTT_URL,
      username: v.MQTT_USERNAME,
      password: v.MQTT_PASSWORD,
      ca: v.MQTT_CA,
      cert: v.MQTT_CERT,
      key: v.MQTT_KEY,
      alpn: v.MQTT_ALPN,
      protocol: v.MQTT_PROTOCOL,
      clientId: v.MQTT_CLIENT_ID,
    },
    broker: { host: v.BROKER_HOST, port: v.BROKER_PORT, username: v.BROKER_USERNAME, password: v.BROKER_PASSWORD },
    storeUrl: v.STORE_URL,
    secretsKeys: list(v.SECRETS_KEY ?? ""),
    roles: rolesOf(v.ROLES),
    webhookAllowNetworks: [...(embedded ? LOOPBACK : []), ...list(v.WEBHOOK_ALLOW_NETWORKS ?? "")],
    maxPayloadBytes: v.MAX_PAYLOAD_BYTES,
    maxPendingRequests: v.MAX_PENDING_REQUESTS,
    maxWaitingDeliveries: v.MAX_WAITING_DELIVERIES,
    eventSource: v.EVENT_SOURCE,
    publicUrl: v.PUBLIC_URL?.replace(/\/+$/, ""),
  };
}

function inOrder(mistakes: Mistakes): { name: string; message: string }[] {
  const names = Object.keys(rules);
  return [...mistakes]
    .map(([name, message]) => ({ name, message }))
    .sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
}

function freeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === "object") freeze(part);
  return Object.freeze(value);
}

function isLoopback(host: string): boolean {
  return host === "localhost" || (ipaddr.isValid(host) && ipaddr.process(host).range() === "loopback");
}

function decode(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}
