/** Entries of the form that creates a key, and the call that they become. Pure. */
import type { Key, KeyInput } from "causeway-mqtt/client";
import { countOf, formatCount, formatDuration } from "../../data/format.ts";
import { exampleTopic } from "../live/lead.ts";
import { filterError } from "../live/topic-filters.ts";

export type Scope = KeyInput["scopes"][number];

export const SCOPES: readonly (readonly [scope: Scope, words: string])[] = [
  ["publish", "Publishes messages and asks devices, on the topics of its publish filters."],
  ["read", "Reads live messages, retained messages and responses, on the topics of its read filters."],
  [
    "webhooks",
    "Creates, changes and deletes webhooks on topics that its read filters cover, and sees their deliveries.",
  ],
  ["view", "Sees webhooks, deliveries, messages, status and metrics of these topics, and changes nothing."],
  ["admin", "Creates and revokes keys, and so can give itself every right. Sees status and metrics."],
];

/** Scopes for which the read filters count. */
const READING: readonly Scope[] = ["read", "webhooks", "view"];

export const EXPIRIES = ["never", "week", "month", "year", "at"] as const;
export type Expiry = (typeof EXPIRIES)[number];
const DAYS: Partial<Record<Expiry, number>> = { week: 7, month: 30, year: 365 };

export interface KeyFields {
  name: string;
  scopes: readonly Scope[];
  /** One filter a line. */
  publish: string;
  read: string;
  /** Requests; empty: no limit. */
  max: string;
  perSeconds: string;
  expiry: Expiry;
  /** Local time, as an input of type `datetime-local` has it. */
  expiresAt: string;
}

export const NEW_KEY: KeyFields = {
  name: "",
  scopes: ["read"],
  publish: "",
  read: "",
  max: "",
  perSeconds: "1",
  expiry: "never",
  expiresAt: "",
};

export type KeyErrors = Partial<Record<keyof KeyFields, string>>;

export function uses(fields: Pick<KeyFields, "scopes">, filters: "publish" | "read"): boolean {
  return fields.scopes.some((scope) => (filters === "publish" ? scope === "publish" : READING.includes(scope)));
}

/** @param now milliseconds since the epoch */
export function keyErrors(fields: KeyFields, now: number): KeyErrors {
  const errors: KeyErrors = {};
  const { name, scopes, max, perSeconds, expiry, expiresAt } = fields;
  if (name.trim() === "" || name.length > 100) errors.name = "must have 1 to 100 characters";
  if (scopes.length === 0) errors.scopes = "choose at least one";
  for (const filters of ["publish", "read"] as const) {
    const error = uses(fields, filters) ? filtersError(fields[filters], name) : undefined;
    if (error) errors[filters] = error;
  }
  if (max !== "" && !isWhole(max, 1_000_000)) errors.max = "must be 1 to 1,000,000 requests";
  if (max !== "" && !isWhole(perSeconds, 86_400)) errors.perSeconds = "must be 1 to 86,400 seconds";
  if (expiry === "at" && !(Date.parse(expiresAt) > now)) errors.expiresAt = "must be a time in the future";
  return errors;
}

function filtersError(text: string, name: string): string | undefined {
  const filters = linesOf(text);
  if (filters.length === 0) return "without a filter the key may use no topic; # stands for all";
  if (filters.length > 100) return "at most 100 filters";
  for (const filter of filters) {
    const error = filterError(filter.replaceAll("{keyName}", name.trim() || "name"));
    if (error) return `${filter} ${error}`;
  }
  return undefined;
}

function isWhole(text: string, most: number): boolean {
  return /^\d+$/.test(text) && Number(text) >= 1 && Number(text) <= most;
}

function linesOf(text: string): string[] {
  return text
    .split("\n")
    .map((line) => line.trim())
    .filter((line) => line !== "");
}

export function toKey(fields: KeyFields, now: number): KeyInput {
  const { name, scopes, max, perSeconds, expiry, expiresAt } = fields;
  const days = DAYS[expiry];
  const end = expiry === "at" ? Date.parse(expiresAt) : days && now + days * 86_400_000;
  return {
    name: name.trim(),
    scopes: [...scopes],
    publish: uses(fields, "publish") ? linesOf(fields.publish) : [],
    read: uses(fields, "read") ? linesOf(fields.read) : [],
    ...(max !== "" && { rateLimit: { max: Number(max), perSeconds: Number(perSeconds) } }),
    ...(end !== undefined && { expiresAt: new Date(end).toISOString() }),
  };
}

/** `100 requests a second`, `5 requests in 10 s`. */
export function limitWords({ rateLimit }: Pick<Key, "rateLimit">): string {
  if (!rateLimit) return "none";
  const { max, perSeconds } = rateLimit;
  return `${countOf(max, "request")} ${perSeconds === 1 ? "a second" : `in ${formatDuration(perSeconds * 1_000)}`}`;
}

/** The first line of the page. @param now milliseconds since the epoch */
export function keysLead(keys: readonly Pick<Key, "expiresAt">[], hasMore: boolean, now: number): string {
  const ends = keys.flatMap(({ expiresAt }) => (expiresAt === null ? [] : [Date.parse(expiresAt) - now]));
  const expired = ends.filter((ms) => ms <= 0).length;
  const soon = ends.filter((ms) => ms > 0 && ms < 7 * 86_400_000).length;
  const count = hasMore ? `More than ${formatCount(keys.length)} keys` : countOf(keys.length, "key");
  if (keys.length === 0) return "No key beside the first one.";
  const facts = [
    ...(expired > 0 ? [`${formatCount(expired)} expired`] : []),
    ...(soon > 0 ? [`${formatCount(soon)} ${soon === 1 ? "expires" : "expire"} within 7 days`] : []),
  ];
  return `${[`${count} beside the first one`, ...facts].join(", ")}.`;
}

/** A command that tries the key. @param url of the bridge, with a slash at its end */
export function curlLine(
  url: string,
  key: string,
  { scopes, publish, read }: Pick<Key, "scopes" | "publish" | "read">,
): string {
  const authorization = `-H 'authorization: Bearer ${key}'`;
  if (scopes.includes("publish") && publish[0] !== undefined) {
    const path = exampleTopic(publish[0]).split("/").map(encode).join("/");
    return `curl ${authorization} -H 'content-type: text/plain' -d 'hello' '${url}v1/topics/${path}'`;
  }
  if (scopes.includes("read") && read[0] !== undefined) {
    return `curl -N ${authorization} '${url}v1/stream?topic=${encode(read[0])}'`;
  }
  return `curl ${authorization} '${url}v1/session'`;
}

/** The command has its address in apostrophes. */
function encode(text: string): string {
  return encodeURIComponent(text).replaceAll("'", "%27");
}
