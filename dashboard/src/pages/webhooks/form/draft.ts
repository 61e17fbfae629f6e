/** The form as it is typed, and the registration that it means. Pure. */
import type { Webhook, WebhookInput, WebhookPatch } from "causeway-mqtt/client";
import { AUTH_FIELDS, DEFAULT_SCHEDULE, type Draft, EMPTY, NO_AUTH } from "./fields.ts";
import { formatSchedule, parseSchedule } from "./schedule.ts";

export * from "./fields.ts";

const DEFAULTS = { concurrency: 10, timeoutMs: 15_000 };
const MASK = "********";

/** Returns the form for an existing webhook; its secrets are not known and not shown. */
export function draftOf(webhook: Webhook): Draft {
  const { name = "", externalId = "", topics, qos, url, method, headers, mode, filter = "", transform = "" } = webhook;
  const text = (value: number | undefined, byDefault?: number) =>
    value === undefined || value === byDefault ? "" : `${value}`;
  return {
    ...EMPTY,
    type: webhook.type,
    name,
    externalId,
    topics: topics.join("\n"),
    qos: `${qos}` as Draft["qos"],
    retained: webhook.retained === "deliver",
    events: webhook.events ?? [],
    url: url ?? "",
    method,
    headers: Object.entries(headers ?? {})
      .map(([header, value]) => `${header}: ${value}`)
      .join("\n"),
    auth: { ...NO_AUTH, type: webhook.auth ? "keep" : "none" },
    mode,
    payloadFormat: webhook.payloadFormat,
    filter,
    transform,
    batchSize: text(webhook.batch?.maxSize),
    batchWaitMs: text(webhook.batch?.maxWaitMs, 1_000),
    concurrency: text(webhook.concurrency, DEFAULTS.concurrency),
    ordering: webhook.ordering,
    rateMax: text(webhook.rateLimit?.max),
    ratePerSeconds: text(webhook.rateLimit?.perSeconds),
    schedule: formatSchedule(webhook.retry?.scheduleSeconds, DEFAULT_SCHEDULE),
    timeoutMs: text(webhook.timeoutMs, DEFAULTS.timeoutMs),
    replyTopic: webhook.replyTopic ?? "",
    ca: webhook.ca ?? "",
    verify: webhook.verification !== undefined,
  };
}

export function topicsOf({ topics }: Pick<Draft, "topics">): string[] {
  return topics.split("\n").filter((line) => line.trim() !== "");
}

/** Texts that cannot be sent to the API at all, by field. */
export function localErrors({ headers, schedule }: Draft): Record<string, string> {
  const errors: Record<string, string> = {};
  const broken = linesOf(headers).find((line) => !/^[^:\s]+\s*:/.test(line));
  if (broken !== undefined) errors.headers = `${broken}: must be a name and a value, as in X-Site: Berlin`;
  if (parseSchedule(schedule, DEFAULT_SCHEDULE) === undefined) {
    errors.retry = "must be durations such as 5s, 5min, 2h, or none for a single attempt";
  }
  return errors;
}

/** Settings of calls, which a pull webhook does not make. */
const OF_CALLS = [
  "url",
  "method",
  "headers",
  "mode",
  "batch",
  "concurrency",
  "rateLimit",
  "timeoutMs",
  "replyTopic",
  "ca",
  "verify",
];

/** The fields that a patch may have for this type of webhook. */
function settingsOf(draft: Draft): Partial<ReturnType<typeof allSettingsOf>> {
  const all = allSettingsOf(draft);
  if (draft.type === "push") return all;
  return Object.fromEntries(Object.entries(all).filter(([field]) => !OF_CALLS.includes(field)));
}

/** The fields that a patch may have, each with its value; null where there is none. */
function allSettingsOf(draft: Draft) {
  const { name, qos, url, method, events, mode, payloadFormat, filter, transform } = draft;
  const { ordering, replyTopic, ca, verify } = draft;
  return {
    name: name.trim(),
    topics: topicsOf(draft),
    qos: Number(qos) as 0 | 1 | 2,
    events: [...events],
    url: url.trim(),
    method,
    headers: headersOf(draft),
    mode,
    payloadFormat,
    filter: filter.trim() || null,
    transform: transform.trim() || null,
    batch: batchOf(draft),
    concurrency: numberOf(draft.concurrency) ?? DEFAULTS.concurrency,
    ordering,
    rateLimit: rateLimitOf(draft),
    retry: { scheduleSeconds: parseSchedule(draft.schedule, DEFAULT_SCHEDULE) ?? DEFAULT_SCHEDULE },
    timeoutMs: numberOf(draft.timeoutMs) ?? DEFAULTS.timeoutMs,
    replyTopic: replyTopic.trim() || null,
    ca: ca.trim() || null,
    verify,
  } satisfies WebhookPatch;
}

/** Returns the registration: the fields that differ from their defaults. */
export function inputOf(draft: Draft): WebhookInput {
  const { type, retained, externalId, secret } = draft;
  const { url, topics = [], ...settings } = settingsOf(draft);
  const defaults: Record<string, unknown> = settingsOf({ ...EMPTY, type });
  const given = Object.entries(settings).filter(([field, value]) => !isSame(value, defaults[field]));
  const isPull = type === "pull";
  const auth = isPull ? undefined : authOf(draft);
  return {
    ...(isPull ? { type } : { url: url! }),
    topics,
    ...(Object.fromEntries(given) as Partial<WebhookInput>),
    ...(retained && { retained: "deliver" }),
    ...(externalId.trim() && { externalId: externalId.trim() }),
    ...(!isPull && secret.trim() && { secret: secret.trim() }),
    ...(auth && { auth }),
  };
}

/**
 * Returns the registration for a preview. Masked headers and kept credentials are stored with the bridge, which does
 * not add them to a preview.
 */
export function previewInputOf(draft: Draft): WebhookInput {
  const { externalId: _, verify: _verify, headers, ...input } = inputOf(draft);
  const known = Object.entries(headers ?? {}).filter(([, value]) => value !== MASK);
  return { ...input, ...(known.length > 0 && { headers: Object.fromEntries(known) }) };
}

/** Returns the changed fields; undefined if there are none. */
export function patchOf(webhook: Webhook, draft: Draft): WebhookPatch | undefined {
  const before: Record<string, unknown> = settingsOf(draftOf(webhook));
  const patch: Record<string, unknown> = {};
  for (const [field, value] of Object.entries(settingsOf(draft))) {
    if (!isSame(value, before[field])) patch[field] = value;
  }
  if (draft.auth.type === "none" && webhook.auth) patch.auth = null;
  else if (draft.auth.type !== "keep" && draft.auth.type !== "none") patch.auth = authOf(draft);
  if (draft.secret.trim()) patch.secret = draft.secret.trim();
  return Object.keys(patch).length === 0 ? undefined : (patch as WebhookPatch);
}

function headersOf({ headers }: Draft): Record<string, string> {
  const pairs = linesOf(headers).map((line) => {
    const colon = line.indexOf(":");
    return colon === -1 ? [line.trim(), ""] : [line.slice(0, colon).trim(), line.slice(colon + 1).trim()];
  });
  return Object.fromEntries(pairs) as Record<string, string>;
}

function batchOf({ batchSize, batchWaitMs }: Draft) {
  const maxSize = numberOf(batchSize);
  if (maxSize === undefined) return null;
  return { maxSize, maxWaitMs: numberOf(batchWaitMs) ?? 1_000 };
}

function rateLimitOf({ rateMax, ratePerSeconds }: Draft) {
  const max = numberOf(rateMax);
  return max === undefined ? null : { max, perSeconds: numberOf(ratePerSeconds) ?? 1 };
}

function authOf({ auth }: Draft): WebhookInput["auth"] {
  if (auth.type === "none" || auth.type === "keep") return undefined;
  const given = AUTH_FIELDS[auth.type].filter((field) => auth[field] !== "");
  return { type: auth.type, ...Object.fromEntries(given.map((field) => [field, auth[field]])) };
}

function linesOf(text: string): string[] {
  return text.split("\n").filter((line) => line.trim() !== "");
}

function numberOf(text: string): number | undefined {
  return text.trim() === "" || Number.isNaN(Number(text)) ? undefined : Number(text);
}

function isSame(one: unknown, other: unknown): boolean {
  return JSON.stringify(one) === JSON.stringify(other);
}
