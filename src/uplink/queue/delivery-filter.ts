/** Selects the deliveries of a list or a replay, by id where possible: ids contain the time of receipt. */

import { parseDateTime } from "../../lib/date-time.ts";
import { topicFilterError } from "../../topic.ts";

const NO_DATE_TIME = "must be a date-time of RFC 3339";

/** Range from `since` (inclusive) to `until` (exclusive), in milliseconds since the epoch. */
export interface TimeRange {
  since: number;
  until: number;
}

export interface DeliveryFilter extends TimeRange {
  /** A valid topic filter; undefined: any topic. */
  topic: string | undefined;
}

export interface FilterInput {
  /** A topic filter. */
  topic?: string;
  /** RFC 3339. */
  since?: string;
  until?: string;
}

/** An input field that cannot be used, with the reason in words. */
export class InvalidField {
  constructor(
    readonly field: "topic" | "since" | "until" | "after",
    readonly message: string,
  ) {}
}

export function readTimeRange({ since, until }: FilterInput): TimeRange | InvalidField {
  const from = since === undefined ? Number.NEGATIVE_INFINITY : parseDateTime(since);
  if (from === undefined) return new InvalidField("since", NO_DATE_TIME);
  const to = until === undefined ? Number.POSITIVE_INFINITY : parseDateTime(until);
  if (to === undefined) return new InvalidField("until", NO_DATE_TIME);
  return from > to ? new InvalidField("since", "must not be after until") : { since: from, until: to };
}

export function readFilter(input: FilterInput): DeliveryFilter | InvalidField {
  const wrong = input.topic === undefined ? undefined : topicFilterError(input.topic);
  if (wrong) return new InvalidField("topic", wrong);
  const range = readTimeRange(input);
  if (range instanceof InvalidField) return range;
  return { ...range, topic: input.topic };
}

/** Creation time of an id in milliseconds since the epoch; undefined unless it is a UUIDv7 (RFC 9562 section 5.7). */
export function timeOfId(id: string): number | undefined {
  const [, high, low] = /^[a-z]+_([0-9a-f]{8})-([0-9a-f]{4})-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}$/.exec(id) ?? [];
  return high === undefined ? undefined : Number.parseInt(high + low, 16);
}

/** Whether the id's time is in the range; true for an id without a time. */
export function mayMatch(id: string, { since, until }: TimeRange): boolean {
  const time = timeOfId(id);
  return time === undefined || (time >= since && time < until);
}
