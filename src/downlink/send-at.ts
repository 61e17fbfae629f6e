/** `sendAt`: the time at which a message is to be published. */
import { fieldProblem } from "../errors.ts";

/** RFC 3339 section 5.6. */
const DATE_TIME = /^(\d{4}-\d\d-\d\d)T(\d\d):(\d\d):(\d\d)(\.\d+)?(?:Z|([+-])(\d\d):(\d\d))$/i;
const MAX_AHEAD_DAYS = 30;
const DAY_MS = 24 * 3600 * 1000;

/**
 * Parses `sendAt`.
 * @returns milliseconds since the epoch, possibly in the past
 * @throws Problem invalid_request naming `sendAt`
 */
export function parseSendAt(text: string, now: number): number {
  const at = parseDateTime(text);
  if (at === undefined) {
    const example = "a date and time as in RFC 3339, with its offset: 2026-03-01T22:00:00Z";
    throw fieldProblem("invalid_request", "sendAt", `must be ${example}`);
  }
  if (at > now + MAX_AHEAD_DAYS * DAY_MS) {
    throw fieldProblem("invalid_request", "sendAt", `must not be more than ${MAX_AHEAD_DAYS} days ahead`);
  }
  return at;
}

/** Milliseconds since the epoch; undefined if the text is not a valid time or names a day outside the calendar. */
export function parseDateTime(text: string): number | undefined {
  const found = DATE_TIME.exec(text);
  if (!found) return undefined;
  const [, date, hours, minutes, seconds, fraction = "0", sign, offsetHours = "0", offsetMinutes = "0"] = found;
  const midnight = Date.parse(`${date}T00:00:00Z`);
  // Date.parse reads 30 February as 2 March.
  if (Number.isNaN(midnight) || !new Date(midnight).toISOString().startsWith(date!)) return undefined;
  // 60 is a leap second.
  const inRange = Number(hours) < 24 && Number(minutes) < 60 && Number(seconds) <= 60;
  if (!inRange || Number(offsetHours) > 23 || Number(offsetMinutes) > 59) return undefined;
  const offset = (Number(offsetHours) * 60 + Number(offsetMinutes)) * (sign === "-" ? -1 : 1);
  const inDay = (Number(hours) * 60 + Number(minutes) - offset) * 60 + Number(seconds);
  return midnight + inDay * 1_000 + Math.floor(Number(fraction) * 1_000);
}
