/** API key: its record in the store and the rules for creating one. */
import { hash, randomBytes } from "node:crypto";
import { type FieldError, type Refused, refuseField, refuseFields } from "../errors.ts";
import { parseDateTime } from "../lib/date-time.ts";
import { newId } from "../message.ts";
import { topicFilterError } from "../topic.ts";
import type { Scope } from "./caller.ts";
import type { RateLimit } from "./limiter.ts";

/** Stored form of a key. Only `lastUsedAt` ever changes. */
export interface KeyRecord {
  /** `key_…` */
  id: string;
  name: string;
  /** Digest of the key's text, see {@link digestOf}. The text itself is never stored. */
  hash: string;
  scopes: Scope[];
  /** Topic filters that the key may publish to, without duplicates. */
  publish: string[];
  /** Topic filters that the key may read, without duplicates. */
  read: string[];
  rateLimit: RateLimit | null;
  expiresAt: string | null;
  createdAt: string;
  /** Accurate to the minute. */
  lastUsedAt: string | null;
}

/** Fields of a key that a caller sets. */
export interface KeyInput {
  name: string;
  scopes: Scope[];
  publish?: string[];
  read?: string[];
  rateLimit?: RateLimit;
  expiresAt?: string;
}

export const MAX_KEYS = 10_000;

const PREFIX = "cw_";
const RANDOM_BYTES = 32;
const KEY_LENGTH = PREFIX.length + Math.ceil((RANDOM_BYTES * 4) / 3);
const KEY_NAME = "{keyName}";

/** Returns whether a text has the form of a key; avoids hashing long texts of requests that are refused anyway. */
export function looksLikeKey(text: string): boolean {
  return text.length === KEY_LENGTH && text.startsWith(PREFIX);
}

/** SHA-256 suffices for 256 random bits; only a guessable password needs a slow hash. */
export function digestOf(key: string): string {
  return hash("sha256", key, "base64url");
}

/**
 * Creates a key: its record and its text, which cannot be derived from the record.
 * @param input validated against the OpenAPI schema
 * @param now milliseconds since the epoch
 */
export function createKey(input: KeyInput, now: number): { record: KeyRecord; key: string } | Refused {
  const { name, scopes, publish = [], read = [], rateLimit = null, expiresAt } = input;
  const filters = { publish: filtersFor(name, publish), read: filtersFor(name, read) };
  const end = expiresAt === undefined ? undefined : parseDateTime(expiresAt);
  const refused =
    checkName(name, [...publish, ...read]) ??
    refuseFields(filterErrors(filters), "invalid_topic_filter") ??
    (expiresAt === undefined ? undefined : checkEnd(end, now));
  if (refused) return refused;
  const key = PREFIX + randomBytes(RANDOM_BYTES).toString("base64url");
  const record: KeyRecord = {
    id: newId("key"),
    name,
    hash: digestOf(key),
    scopes: [...new Set(scopes)],
    publish: [...new Set(filters.publish)],
    read: [...new Set(filters.read)],
    rateLimit,
    expiresAt: end === undefined ? null : new Date(end).toISOString(),
    createdAt: new Date(now).toISOString(),
    lastUsedAt: null,
  };
  return { record, key };
}

/** Checks that a name inserted into a filter stays within its topic level. */
function checkName(name: string, filters: string[]): Refused | undefined {
  if (!name.isWellFormed()) return refuseField("invalid_request", "name", "must be well-formed Unicode");
  if (!/[/+#\0]/.test(name) || !filters.some((filter) => filter.includes(KEY_NAME))) return undefined;
  const message = `must not contain /, +, # or the null character, because ${KEY_NAME} stands in a filter`;
  return refuseField("invalid_request", "name", message);
}

function filtersFor(name: string, filters: string[]): string[] {
  return filters.map((filter) => filter.replaceAll(KEY_NAME, () => name));
}

function filterErrors(filters: { publish: string[]; read: string[] }): FieldError[] {
  return Object.entries(filters).flatMap(([field, all]) =>
    all.flatMap((filter, i) => {
      const message = topicFilterError(filter);
      return message === undefined ? [] : [{ path: `${field}[${i}]`, message }];
    }),
  );
}

/** @param at milliseconds since the epoch; undefined for an invalid date-time */
function checkEnd(at: number | undefined, now: number): Refused | undefined {
  if (at === undefined) return refuseField("invalid_request", "expiresAt", "must be an RFC 3339 date-time");
  return at <= now ? refuseField("invalid_request", "expiresAt", "must be in the future") : undefined;
}
