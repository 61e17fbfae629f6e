/** Fields of webhooks, hooks and keys that a configuration holds, and those that the bridge does not show. Pure. */
import type { Hook, Key, Webhook } from "../client/index.ts";
import type { Fields } from "./documents.ts";

/** Shown by the bridge in place of a secret value. */
const MASK = "********";

/** Values of fields that a document leaves out. */
export const WEBHOOK_DEFAULTS: Fields = {
  ...{
    type: "push",
    method: "POST",
    enabled: true,
    qos: 1,
    mode: "structured",
    headers: {},
    concurrency: 10,
    timeoutMs: 15_000,
  },
  retry: { scheduleSeconds: [5, 300, 1_800, 7_200, 18_000, 36_000, 50_400, 72_000, 86_400] },
  ...{ retained: "skip", payloadFormat: "auto", ordering: "none", events: [], topics: [] },
};

const SHOWN = [
  ...[
    "type",
    "url",
    "method",
    "topics",
    "name",
    "enabled",
    "qos",
    "mode",
    "headers",
    "concurrency",
    "timeoutMs",
    "retry",
  ],
  ...[
    "retained",
    "payloadFormat",
    "filter",
    "transform",
    "batch",
    "ordering",
    "rateLimit",
    "auth",
    "ca",
    "replyTopic",
    "events",
  ],
] as const satisfies (keyof Webhook)[];

export const HOOK_DEFAULTS: Fields = {
  ...{ qos: 1, retain: false, verify: { type: "none" }, methods: ["POST"], durable: true },
};

/** Fields that are objects with credentials in them. */
const WITH_CREDENTIALS = ["auth", "verify"];
const CREDENTIALS = new Set(["password", "token", "clientSecret", "key", "secret", "verifyToken"]);

/** The settings of a webhook as a document has them. */
export function webhookFields(webhook: Webhook): Fields {
  const fields: Fields = {};
  for (const name of SHOWN) if (webhook[name] !== undefined) fields[name] = webhook[name];
  if (webhook.verification) fields.verify = true;
  return fields;
}

/** The settings of a hook as a document has them. */
export function hookFields(hook: Hook): Fields {
  const { name, topic, payload, qos, retain, verify, methods, durable, rateLimit } = hook;
  return {
    ...{ name, topic, qos, retain, verify, methods, durable },
    ...(payload !== null && { payload }),
    ...(rateLimit && { rateLimit }),
  };
}

/** The rights of a key as a document has them. */
export function keyFields({ name, scopes, publish, read, rateLimit, expiresAt }: Key): Fields {
  return {
    ...{ name, scopes },
    ...(publish.length > 0 && { publish }),
    ...(read.length > 0 && { read }),
    ...(rateLimit && { rateLimit }),
    ...(expiresAt !== null && { expiresAt }),
  };
}

/** A wanted value as the bridge would show it. */
export function asShown(name: string, value: unknown): unknown {
  if (name === "batch" && value) return { maxWaitMs: 1_000, ...value };
  if (name === "verify" && isHmac(value)) {
    return { algorithm: "sha256", encoding: "hex", prefix: "", ...value, header: String(value.header).toLowerCase() };
  }
  if (name === "expiresAt" && typeof value === "string" && !Number.isNaN(Date.parse(value))) {
    return new Date(value).toISOString();
  }
  return Array.isArray(value) ? [...new Set(value)] : value;
}

function isHmac(value: unknown): value is { header: unknown } {
  return (value as { type?: unknown } | null | undefined)?.type === "hmac";
}

/** Whether a wanted value cannot be compared, because the bridge does not show its own. */
export function isSecret(name: string, shown: unknown, wanted: unknown): boolean {
  if (name === "secret") return wanted !== undefined;
  if (WITH_CREDENTIALS.includes(name)) return Object.keys(wanted ?? {}).some((member) => CREDENTIALS.has(member));
  if (name !== "headers") return false;
  return Object.entries(wanted ?? {}).some(([header, value]) => headerOf(shown, header) === MASK && value !== MASK);
}

/** The wanted value without what cannot be compared. */
export function comparable(name: string, shown: unknown, wanted: unknown): unknown {
  if (name === "secret") return undefined;
  if (WITH_CREDENTIALS.includes(name) && typeof wanted === "object" && wanted) {
    return Object.fromEntries(Object.entries(wanted).filter(([member]) => !CREDENTIALS.has(member)));
  }
  if (name !== "headers") return wanted;
  const masked = (header: string, value: unknown) => (headerOf(shown, header) === MASK ? MASK : value);
  return Object.fromEntries(Object.entries(wanted ?? {}).map(([header, value]) => [header, masked(header, value)]));
}

function headerOf(headers: unknown, name: string): unknown {
  return Object.hasOwn(headers ?? {}, name) ? (headers as Fields)[name] : undefined;
}
