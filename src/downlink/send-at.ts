/** `sendAt`: the time at which a message is to be published. */
import { type Refused, refuseField } from "../errors.ts";
import { parseDateTime } from "../lib/date-time.ts";

const MAX_AHEAD_DAYS = 30;
const DAY_MS = 24 * 3600 * 1000;

/**
 * Parses `sendAt`.
 * @returns milliseconds since the epoch, possibly in the past
 */
export function parseSendAt(text: string, now: number): number | Refused {
  const at = parseDateTime(text);
  if (at === undefined) {
    const example = "a date and time as in RFC 3339, with its offset: 2026-03-01T22:00:00Z";
    return refuseField("invalid_request", "sendAt", `must be ${example}`);
  }
  if (at > now + MAX_AHEAD_DAYS * DAY_MS) {
    return refuseField("invalid_request", "sendAt", `must not be more than ${MAX_AHEAD_DAYS} days ahead`);
  }
  return at;
}
