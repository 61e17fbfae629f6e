import { isUtc, now } from "../data/clock.ts";
import { formatClock, formatRelative } from "../data/format.ts";

/** A time relative to now; the exact one on hover and focus. @param at RFC 3339, or milliseconds since the epoch */
export function Time({ at, exact = false }: { at: string | number; exact?: boolean }) {
  const ms = typeof at === "number" ? at : Date.parse(at);
  const clock = formatClock(ms, now.value, isUtc.value);
  return (
    <time dateTime={new Date(ms).toISOString()} title={exact ? new Date(ms).toISOString() : clock}>
      {exact ? clock : formatRelative(ms, now.value)}
    </time>
  );
}
