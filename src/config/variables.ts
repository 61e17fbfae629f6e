/** Environment variables: one validation rule each, pure. `docs/configuration.md` explains them. */
import ipaddr from "ipaddr.js";
import { isPathPrefix } from "../lib/path-prefix.ts";

export const ROLES = ["api", "uplink", "delivery"] as const;
export type Role = (typeof ROLES)[number];
export type MqttProtocol = "auto" | "5" | "3.1.1";
export type LogLevel = "trace" | "debug" | "info" | "warn" | "error" | "fatal" | "silent";

/** The validated variables: typed, with the defaults. */
export interface Variables {
  HOST: string;
  PORT: number;
  API_KEY?: string;
  DATA_DIR: string;
  CONFIG_DIR?: string;
  LOG_LEVEL: LogLevel;
  MQTT_URL?: string;
  MQTT_USERNAME?: string;
  MQTT_PASSWORD?: string;
  MQTT_CA?: string;
  MQTT_CERT?: string;
  MQTT_KEY?: string;
  MQTT_ALPN?: string;
  MQTT_PROTOCOL: MqttProtocol;
  MQTT_CLIENT_ID: string;
  BROKER_HOST: string;
  BROKER_PORT: number;
  BROKER_USERNAME?: string;
  BROKER_PASSWORD?: string;
  STORE_URL?: string;
  STORE_SYNC: "full" | "normal";
  STORE_RESET?: "accept";
  SECRETS_KEY?: string;
  ROLES: string;
  WEBHOOK_ALLOW_NETWORKS?: string;
  MAX_PAYLOAD_BYTES: number;
  MAX_PENDING_REQUESTS: number;
  MAX_WAITING_DELIVERIES: number;
  EVENT_SOURCE: string;
  PUBLIC_URL?: string;
  CORS_ORIGINS?: string;
  EMBED_ORIGINS?: string;
  PORTAL_LOGO?: string;
  PORTAL_ACCENT?: string;
  BASE_PATH?: string;
  TRUST_PROXY: "true" | "false";
}

/** The variables as text; empty ones are left out. */
export type Raw = Record<string, string>;
/** Variable → error message. */
export type Mistakes = Map<string, string>;

export const PEMS = ["MQTT_CA", "MQTT_CERT", "MQTT_KEY"] as const;
/** Variables whose value can be in a file, named by the variable with the suffix `_FILE`. */
export const SECRETS = ["API_KEY", "MQTT_PASSWORD", "BROKER_PASSWORD", "STORE_URL", "SECRETS_KEY"] as const;

type Rule = { schema: Record<string, unknown>; expected: string };

const text = (format: string, expected: string, rest = {}): Rule => ({
  schema: { type: "string", format, ...rest },
  expected,
});
const integer = (minimum: number, maximum: number, byDefault: number): Rule => ({
  schema: { type: "integer", minimum, maximum, default: byDefault },
  expected: `must be a whole number from ${minimum} to ${maximum}`,
});
const oneOf = (values: string[], byDefault: string): Rule => ({
  schema: { type: "string", enum: values, default: byDefault },
  expected: `must be one of ${values.join(", ")}`,
});
const host = (byDefault: string) => text("host", "must be an IP address or a host name", { default: byDefault });
const credential = text("line", "must not hold line breaks or other control characters");
const pem = text("pem", "holds no PEM block (-----BEGIN …)");

/** One rule per variable, in the order in which mistakes are listed. */
export const rules: Record<keyof Variables, Rule> = {
  HOST: host("127.0.0.1"),
  PORT: integer(0, 65_535, 8080),
  API_KEY: text("api-key", "must be at least 16 printable ASCII characters without white space"),
  DATA_DIR: text("line", "must be the path of a directory", { default: "./data" }),
  CONFIG_DIR: text("line", "must be the path of a folder"),
  LOG_LEVEL: oneOf(["trace", "debug", "info", "warn", "error", "fatal", "silent"], "info"),
  MQTT_URL: text("mqtt-url", "must be a URL such as mqtt://host:1883, with the scheme mqtt, mqtts, ws or wss"),
  MQTT_USERNAME: credential,
  MQTT_PASSWORD: credential,
  MQTT_CA: pem,
  MQTT_CERT: pem,
  MQTT_KEY: pem,
  MQTT_ALPN: text("alpn", "must be 1 to 255 printable ASCII characters without white space or commas"),
  MQTT_PROTOCOL: oneOf(["auto", "5", "3.1.1"], "auto"),
  MQTT_CLIENT_ID: text("client-id", "must be 1 to 40 letters, digits, dots, underscores or hyphens", {
    default: "causeway",
  }),
  BROKER_HOST: host("127.0.0.1"),
  BROKER_PORT: integer(0, 65_535, 1883),
  BROKER_USERNAME: credential,
  BROKER_PASSWORD: credential,
  STORE_URL: text("store-url", "must be a URL such as redis://host:6379/0, with the scheme redis or rediss"),
  STORE_SYNC: oneOf(["full", "normal"], "full"),
  STORE_RESET: { schema: { type: "string", enum: ["accept"] }, expected: "must be accept, or absent" },
  SECRETS_KEY: text(
    "secrets-keys",
    "must be at least 32 printable ASCII characters without white space, as from openssl rand -base64 32; several separated by commas",
  ),
  ROLES: text("roles", "must name one or more of api, uplink and delivery, separated by commas", {
    default: ROLES.join(),
  }),
  WEBHOOK_ALLOW_NETWORKS: text("networks", "must be networks such as 10.0.0.0/8, separated by commas"),
  MAX_PAYLOAD_BYTES: integer(1, 16 * 1024 * 1024, 262_144),
  MAX_PENDING_REQUESTS: integer(1, 1_000_000, 10_000),
  MAX_WAITING_DELIVERIES: integer(1, 10_000_000, 100_000),
  EVENT_SOURCE: text("uri-reference", "must be a URI reference such as /causeway (RFC 3986)", { default: "/causeway" }),
  BASE_PATH: text(
    "base-path",
    "must be a path such as /causeway, of letters, digits, dots, hyphens, underscores and tildes, and not begin with /v1",
  ),
  TRUST_PROXY: oneOf(["true", "false"], "false"),
  PUBLIC_URL: text("public-url", "must be a URL such as https://causeway.example.com, with the scheme http or https"),
  CORS_ORIGINS: text(
    "origins",
    "must be origins such as https://app.example.com, separated by commas: no path, no default port, and no *, because each page with access to the API must be named",
  ),
  EMBED_ORIGINS: text(
    "web-origins",
    "must be origins such as https://app.example.com, with the scheme http or https, separated by commas: no path, no default port, and no *",
  ),
  PORTAL_LOGO: text("line", "must be the path of an SVG or PNG file"),
  PORTAL_ACCENT: text("colour", "must be a colour such as #0a7d5c, as six hexadecimal digits"),
};

export const formats: Record<string, (value: string) => boolean> = {
  host: (value) => /^[\w.:%-]+$/.test(value),
  line: (value) => !/\p{Cc}/u.test(value),
  pem: isPem,
  alpn: (value) => /^[\x21-\x2b\x2d-\x7e]{1,255}$/.test(value),
  "api-key": (value) => /^[\x21-\x7e]{16,}$/.test(value),
  "client-id": (value) => /^[\w.-]{1,40}$/.test(value),
  "mqtt-url": (value) => hasScheme(value, ["mqtt:", "mqtts:", "ws:", "wss:"]),
  "store-url": (value) => hasScheme(value, ["redis:", "rediss:"]) && /^\/?\d*$/.test(new URL(value).pathname),
  "secrets-keys": (value) => list(value).length > 0 && list(value).every((key) => /^[\x21-\x7e]{32,}$/.test(key)),
  "public-url": (value) =>
    hasScheme(value, ["http:", "https:"]) && !/[?#@]/.test(value) && /^[\x21-\x7e]+$/.test(value),
  roles: (value) => list(value).length > 0 && list(value).every((role) => (ROLES as readonly string[]).includes(role)),
  "base-path": (value) => withoutSlash(value) === "" || isPathPrefix(withoutSlash(value)),
  origins: (value) => list(value).length > 0 && list(value).every(isOrigin),
  "web-origins": (value) =>
    list(value).length > 0 && list(value).every((origin) => /^https?:/.test(origin) && isOrigin(origin)),
  networks: (value) => list(value).every(isNetwork),
  colour: (value) => /^#[\da-f]{6}$/i.test(value),
  "uri-reference": (value) =>
    /^(?:[\w.~:/?#[\]@!$&'()*+,;=-]|%[\da-f]{2})+$/i.test(value) && URL.canParse(value, "http://host"),
};

export const schema = {
  type: "object",
  properties: Object.fromEntries(Object.entries(rules).map(([name, rule]) => [name, rule.schema])),
};

/** The roles in the order of {@link ROLES}, without duplicates. @param value valid, or absent for all of them */
export function rolesOf(value: string = ROLES.join()): Role[] {
  const named = list(value);
  return ROLES.filter((role) => named.includes(role));
}

export function list(value: string): string[] {
  return value.split(",").flatMap((item) => item.trim() || []);
}

/** Removes trailing slashes. */
export function withoutSlash(path: string): string {
  return path.replace(/\/+$/, "");
}

export function hasScheme(value: string, schemes: string[]): boolean {
  if (!URL.canParse(value)) return false;
  const { protocol, hostname } = new URL(value);
  return schemes.includes(protocol) && hostname !== "";
}

export function isPem(value: string): boolean {
  return value.includes("-----BEGIN ");
}

/** Accepts IPv4 only in four decimal parts, since programs differ on `010.0.0.0/8`; no IPv6 zone ids. */
function isNetwork(value: string): boolean {
  return ipaddr.IPv4.isValidCIDRFourPartDecimal(value) || (ipaddr.IPv6.isValidCIDR(value) && !value.includes("%"));
}

/** Accepts an origin exactly as browsers send it. Only they define origins of schemes such as `capacitor`. */
function isOrigin(value: string): boolean {
  if (!/^[a-z][a-z\d+.-]*:\/\/(?:[a-z\d.-]+|\[[a-f\d:]+\])(?::\d+)?$/.test(value) || !URL.canParse(value)) return false;
  const { protocol, origin } = new URL(value);
  return !["http:", "https:"].includes(protocol) || origin === value;
}
