/** Selects the deliveries of a list or a replay, by id where possible: ids contain the time of receipt. */

import { fieldProblem } from "../../errors.ts";
import { parseDateTime } from "../../lib/date-time.ts";
import { topicFilterError } from "../../topic.ts";
import { matcher } from "../../topic-index.ts";

/** Range from `since` (inclusive) to `until` (exclusive), in milliseconds since the epoch. */
export interface TimeRange {
  since: number;
  until: number;
}

export interface DeliveryFilter extends TimeRange {
  /** Undefined: any topic. */
  topic: ((topic: string) => boolean) | undefined;
}

export interface FilterInput {
  /** A topic filter. */
  topic?: string;
  /** RFC 3339. */
  since?: string;
  until?: string;
}

/** @param path prefix of the fields, e.g. `query.`  @throws Problem that names the field */
export function readTimeRange({ since, until }: FilterInput, path: string): TimeRange {
  const read = (name: string, text: string) => {
    const time = parseDateTime(text);
    if (time === undefined) throw fieldProblem("invalid_request", path + name, "must be a date-time of RFC 3339");
    return time;
  };
  const range = {
    since: since === undefined ? Number.NEGATIVE_INFINITY : read("since", since),
    until: until === undefined ? Number.POSITIVE_INFINITY : read("until", until),
  };
  if (range.since > range.until) throw fieldProblem("invalid_request", `${path}since`, "must not be after until");
  return range;
}

/** @throws Problem that names the field of the query */
export function readFilter(input: FilterInput): DeliveryFilter {
  const wrong = input.topic === undefined ? undefined : topicFilterError(input.topic);
  if (wrong) throw fieldProblem("invalid_topic_filter", "query.topic", wrong);
  return {
    ...readTimeRange(input, "query."),
    topic: input.topic === undefined ? undefined : matcher([input.topic]),
  };
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
