/**
 * Environment → frozen Config. The only file that reads `process.env`.
 *
 * A `.env` file in the working directory is read first; the environment takes precedence. An empty value counts as
 * absent. All mistakes are reported at once, and no message contains a value, so they can be printed and logged.
 * `docs/configuration.md` explains all variables.
 */
import { readFileSync } from "node:fs";
import { resolve } from "node:path";
import { parseEnv } from "node:util";
import { Ajv } from "ajv";
import { type Configuration, readConfiguration } from "./configuration.ts";
import { crossCheck } from "./cross-checks.ts";
import { readPems } from "./pems.ts";
import { type PortalLogo, readPortalLogo } from "./portal-logo.ts";
import { readSecretFiles } from "./secret-files.ts";
import { decode, secretsOfUrl } from "./secrets.ts";
import {
  formats,
  type LogLevel,
  list,
  type Mistakes,
  type MqttProtocol,
  type Raw,
  type Role,
  rolesOf,
  rules,
  schema,
  type Variables,
  withoutSlash,
} from "./variables.ts";

export type { LogLevel, MqttProtocol, PortalLogo, Role };

export interface Config {
  readonly http: {
    readonly host: string;
    readonly port: number;
    /** Origins whose pages may call the API. */
    readonly corsOrigins: readonly string[];
    /** Origins whose pages may show the dashboard in a frame. */
    readonly embedOrigins: readonly string[];
    /** Prefix of all paths, without a trailing slash; "" for none. */
    readonly basePath: string;
    /** Whether the `X-Forwarded-*` headers of a proxy are believed. */
    readonly trustProxy: boolean;
  };
  /** Look of the dashboard in portal sessions. */
  readonly portal: { readonly logo?: PortalLogo; readonly accent?: string };
  /** Absent: a key is generated and kept in `dataDir`. */
  readonly apiKey?: string;
  /** File from which `apiKey` was read. */
  readonly apiKeyFile?: string;
  /** Absolute path. */
  readonly dataDir: string;
  /** Documents that the bridge applies to itself. Only with the role `api`. */
  readonly configuration?: Configuration;
  readonly logLevel: LogLevel;
  readonly mqtt: {
    /** Absent: the embedded broker. Never contains a user name or password. */
    readonly url?: string;
    readonly username?: string;
    readonly password?: string;
    /** PEM text, as are `cert` and `key`. */
    readonly ca?: string;
    readonly cert?: string;
    readonly key?: string;
    /** Protocol named in the TLS handshake (RFC 7301); brokers that share a port with HTTPS detect MQTT by it. */
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
  /** Absent: the embedded store. May contain a password: output it through {@link redactUrl} only. */
  readonly storeUrl?: string;
  /** `normal`: the embedded store and broker acknowledge before the disk has the data. */
  readonly storeSync: "full" | "normal";
  /** Whether the bridge may use a different store than the one recorded in `dataDir`. */
  readonly storeReset: boolean;
  /** Keys for the secrets in the store: the first one encrypts; all of them decrypt. */
  readonly secretsKeys: readonly string[];
  /** Roles of this process, without duplicates. */
  readonly roles: readonly Role[];
  /** CIDRs; include loopback if broker and store are both embedded. */
  readonly webhookAllowNetworks: readonly string[];
  readonly maxPayloadBytes: number;
  /** Maximum number of requests that wait for their response, in this process. */
  readonly maxPendingRequests: number;
  /** Maximum number of waiting deliveries per webhook; beyond it the oldest are discarded. */
  readonly maxWaitingDeliveries: number;
  readonly eventSource: string;
  /** URL at which receivers reach the API, without a trailing slash. */
  readonly publicUrl?: string;
}

/** All mistakes in the configuration. Ends the process with exit code 78 (EX_CONFIG of sysexits.h). */
export class ConfigError extends Error {
  override name = "ConfigError";

  constructor(readonly errors: readonly { name: string; message: string }[]) {
    super(errors.map(({ name, message }) => `${name}: ${message}`).join("\n"));
  }
}

const LOOPBACK = ["127.0.0.0/8", "::1/128"];

/** Reads the configuration; throws a {@link ConfigError} that lists all mistakes. */
export function loadConfig(
  env: Record<string, string | undefined> = process.env,
  { envFile = ".env" }: { envFile?: string | false } = {},
): Config {
  const mistakes: Mistakes = new Map();
  const raw: Raw = { ...(envFile && readEnvFile(envFile, mistakes)), ...present(env) };
  const fromFiles = readSecretFiles(raw, mistakes);
  moveUserInfo(raw);
  crossCheck(raw, mistakes);
  readPems(raw, mistakes);
  const configuration = readConfiguration(raw, mistakes);
  const logo = readPortalLogo(raw, mistakes);
  const values = validate(raw, mistakes);
  if (!values || mistakes.size > 0) throw new ConfigError(inOrder(mistakes, fromFiles));
  const config = toConfig(values, fromFiles.includes("API_KEY") ? raw.API_KEY_FILE : undefined);
  const portal = { ...(logo && { logo }), ...(values.PORTAL_ACCENT && { accent: values.PORTAL_ACCENT.toLowerCase() }) };
  return freeze({ ...config, portal, ...(configuration && { configuration }) });
}

/** The URL for output: without user info, and without the query, in which Redis URLs may contain a password. */
export function redactUrl(url: string): string {
  if (!URL.canParse(url)) return "(not a URL)";
  const { protocol, host, pathname } = new URL(url);
  return `${protocol}//${host}${pathname}`;
}

/** The values of the configuration that must not appear in any log line, response or terminal. */
export function secretsOf({ apiKey, mqtt, broker, storeUrl, secretsKeys }: Config): (string | undefined)[] {
  const urls = [mqtt.url, storeUrl].flatMap((url) => (url ? secretsOfUrl(url) : []));
  return [apiKey, mqtt.password, mqtt.key, broker.password, ...secretsKeys, ...urls];
}

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

/** `mqtt://user:password@host` → MQTT_USERNAME, MQTT_PASSWORD and a URL without credentials. */
function moveUserInfo(raw: Raw): void {
  if (!raw.MQTT_URL || !URL.canParse(raw.MQTT_URL)) return;
  const url = new URL(raw.MQTT_URL);
  if (!url.username && !url.password) return;
  if (url.username) raw.MQTT_USERNAME ??= decode(url.username);
  if (url.password) raw.MQTT_PASSWORD ??= decode(url.password);
  url.username = url.password = "";
  raw.MQTT_URL = url.href;
}

/** Returns the valid variables with the defaults; adds invalid ones to `mistakes`. */
function validate(raw: Raw, mistakes: Mistakes): Variables | undefined {
  // The schema is part of this program; validating it as well would slow every start.
  const trusted = { meta: false, validateSchema: false, code: { optimize: false }, formats };
  const ajv = new Ajv({ allErrors: true, removeAdditional: "all", useDefaults: true, coerceTypes: true, ...trusted });
  const values: unknown = { ...raw };
  if (ajv.validate<Variables>(schema, values)) return values;
  for (const { instancePath } of ajv.errors!) {
    const name = instancePath.slice(1) as keyof Variables;
    mistakes.set(name, rules[name].expected);
  }
  return undefined;
}

function toConfig(v: Variables, apiKeyFile: string | undefined): Omit<Config, "portal"> {
  const embedded = !v.MQTT_URL && !v.STORE_URL;
  const basePath = withoutSlash(v.BASE_PATH ?? "");
  return {
    http: {
      host: v.HOST,
      port: v.PORT,
      corsOrigins: list(v.CORS_ORIGINS ?? ""),
      embedOrigins: list(v.EMBED_ORIGINS ?? ""),
      basePath,
      trustProxy: v.TRUST_PROXY === "true",
    },
    apiKey: v.API_KEY,
    apiKeyFile: apiKeyFile && resolve(apiKeyFile),
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
    storeSync: v.STORE_SYNC,
    storeReset: v.STORE_RESET === "accept",
    secretsKeys: list(v.SECRETS_KEY ?? ""),
    roles: rolesOf(v.ROLES),
    webhookAllowNetworks: [...(embedded ? LOOPBACK : []), ...list(v.WEBHOOK_ALLOW_NETWORKS ?? "")],
    maxPayloadBytes: v.MAX_PAYLOAD_BYTES,
    maxPendingRequests: v.MAX_PENDING_REQUESTS,
    maxWaitingDeliveries: v.MAX_WAITING_DELIVERIES,
    eventSource: v.EVENT_SOURCE,
    publicUrl: v.PUBLIC_URL && publicUrlOf(v.PUBLIC_URL, basePath),
  };
}

/** Without a path of its own, the URL is that of the host, and the API is below the base path there. */
function publicUrlOf(text: string, basePath: string): string {
  const url = withoutSlash(text);
  return new URL(url).pathname === "/" ? url + basePath : url;
}

/** @param fromFiles variables whose mistakes are in a file: reported with the variable that is given */
function inOrder(mistakes: Mistakes, fromFiles: string[]): { name: string; message: string }[] {
  const names = Object.keys(rules).flatMap((name) => [name, `${name}_FILE`]);
  return [...mistakes]
    .filter(([name]) => !mistakes.has(`${name}_FILE`))
    .map(([name, message]) =>
      fromFiles.includes(name) ? { name: `${name}_FILE`, message: `the content ${message}` } : { name, message },
    )
    .sort((a, b) => names.indexOf(a.name) - names.indexOf(b.name));
}

function freeze<T extends object>(value: T): T {
  for (const part of Object.values(value)) if (typeof part === "object" && part !== null) freeze(part);
  return Object.freeze(value);
}
