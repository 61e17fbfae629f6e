/** The filters of the list of deliveries, as they stand in the address of the page. Pure. */
import type { DeliveriesQuery, Delivery } from "causeway-mqtt/client";

export type Status = Delivery["status"];

export const STATUSES: readonly (readonly [status: Status | "", word: string])[] = [
  ["", "All"],
  ["failed", "Dead letters"],
  ["retrying", "Retrying"],
  ["pending", "Waiting"],
  ["active", "In progress"],
  ["succeeded", "Succeeded"],
];

/** Ranges before now, in milliseconds. */
const RANGES = { "1h": 3_600_000, "24h": 86_400_000, "7d": 7 * 86_400_000 } as const;

export type Range = keyof typeof RANGES | "custom";

export const RANGE_WORDS: readonly (readonly [range: Range, word: string])[] = [
  ["1h", "1 h"],
  ["24h", "24 h"],
  ["7d", "7 d"],
  ["custom", "Custom"],
];

export interface Filters {
  status: Status | "";
  webhookId: string;
  /** An MQTT topic filter. */
  topic: string;
  range: Range;
  /** RFC 3339, only with the range `custom`; "" without a limit. */
  since: string;
  until: string;
}

/** @param query of the address; values that mean nothing are ignored */
export function filtersOf(query: Record<string, string>): Filters {
  const status = STATUSES.find(([one]) => one === query.status)?.[0] ?? "";
  const since = timeOf(query.since);
  const until = timeOf(query.until);
  const range = RANGE_WORDS.find(([one]) => one === query.range)?.[0] ?? (since || until ? "custom" : "24h");
  const isCustom = range === "custom";
  return {
    status,
    webhookId: query.webhookId ?? "",
    topic: query.topic ?? "",
    range,
    since: isCustom ? since : "",
    until: isCustom ? until : "",
  };
}

function timeOf(text: string | undefined): string {
  const ms = Date.parse(text ?? "");
  return Number.isNaN(ms) ? "" : new Date(ms).toISOString();
}

/** The query of the address, without what is the default. */
export function addressQuery({ range, ...filters }: Filters): Record<string, string> {
  const query = { ...filters, range: range === "24h" ? "" : range };
  return Object.fromEntries(Object.entries(query).filter(([, value]) => value !== ""));
}

/** The times that a range means at this moment. */
export function timesOf({ range, since, until }: Filters, now: number): { since?: string; until?: string } {
  if (range !== "custom") return { since: new Date(now - RANGES[range]).toISOString() };
  return { ...(since && { since }), ...(until && { until }) };
}

export function apiQuery(filters: Filters, now: number): DeliveriesQuery {
  const { status, webhookId, topic } = filters;
  return {
    ...(status && { status }),
    ...(webhookId && { webhookId }),
    ...(topic && { topic }),
    ...timesOf(filters, now),
  };
}

/** `in the last 24 h`, `in the chosen time`. */
export function rangeInWords({ range, since, until }: Pick<Filters, "range" | "since" | "until">): string {
  if (range !== "custom") return `in the last ${RANGE_WORDS.find(([one]) => one === range)![1]}`;
  return since || until ? "in the chosen time" : "among all that are kept";
}

/** `23 failed in the last 24 h.` @param isMore whether there are more than were counted */
export function leadOf(failed: number, isMore: boolean, filters: Filters): string {
  const where = rangeInWords(filters);
  if (failed === 0) return isMore ? `None of the newest deliveries failed ${where}.` : `None failed ${where}.`;
  return `${failed.toLocaleString("en")}${isMore ? " or more" : ""} failed ${where}.`;
}

/** The page that an id belongs to; undefined if it is no id. */
export function pageOfId(id: string): string | undefined {
  if (/^(?:msg|req)_[\w-]+$/.test(id)) return `messages/${id}`;
  return /^wh_[\w-]+$/.test(id) ? `webhooks/${id}` : undefined;
}

/** The value of an `<input type="datetime-local">`. */
export function toInput(time: string, isUtc: boolean): string {
  if (time === "") return "";
  const at = new Date(time);
  return new Date(at.getTime() - (isUtc ? 0 : at.getTimezoneOffset() * 60_000)).toISOString().slice(0, 16);
}

export function fromInput(value: string, isUtc: boolean): string {
  return timeOf(value && (isUtc ? `${value}Z` : value));
}

/** Whether a text is an MQTT topic filter; the reason if it is not. */
export function topicError(topic: string): string | undefined {
  if (topic === "") return undefined;
  const levels = topic.split("/");
  const isPlaced = levels.every(
    (level, i) => level === "+" || (level === "#" ? i === levels.length - 1 : !/[+#]/.test(level)),
  );
  return isPlaced ? undefined : "+ stands for one whole level, # for all levels at the end";
}

/** Whether the API retries it: not while it is sent, or before its first attempt. */
export function canRetry({ status, lastAttempt }: Pick<Delivery, "status"> & { lastAttempt: object | null }): boolean {
  return status === "failed" || status === "succeeded" || (status === "retrying" && lastAttempt !== null);
}
