/** Time ranges of a replay. Pure. */
import type { ReplayInput } from "causeway-mqtt/client";

export const SPANS = [
  ["all", "All that are kept"],
  ["3600000", "Received in the last hour"],
  ["86400000", "Received in the last 24 hours"],
  ["custom", "Received between"],
] as const;

export interface ReplayChoice {
  status: ReplayInput["status"];
  span: (typeof SPANS)[number][0];
  /** Texts of `datetime-local` fields, in the reader's zone. */
  since: string;
  until: string;
}

/** Returns the range in the API's form; undefined while a time is incomplete. */
export function rangeOf({ status, span, since, until }: ReplayChoice, now: number): ReplayInput | undefined {
  if (span === "all") return { status };
  if (span !== "custom") return { status, since: new Date(now - Number(span)).toISOString() };
  const times = { ...(since && { since: Date.parse(since) }), ...(until && { until: Date.parse(until) }) };
  if (Object.values(times).some(Number.isNaN)) return undefined;
  return {
    status,
    ...Object.fromEntries(Object.entries(times).map(([name, at]) => [name, new Date(at).toISOString()])),
  };
}
