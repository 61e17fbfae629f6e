/** Retry schedules as people write them: `5 s, 5 min, 2 h`. Pure. */

const UNITS: Readonly<Record<string, number>> = { s: 1, min: 60, m: 60, h: 3_600, d: 86_400 };
const SINGLE_ATTEMPT = "none";

/** Returns seconds; undefined if a part is no duration. @param byDefault for an empty text */
export function parseSchedule(text: string, byDefault: readonly number[]): number[] | undefined {
  const trimmed = text.trim().toLowerCase();
  if (trimmed === "") return [...byDefault];
  if (trimmed === SINGLE_ATTEMPT) return [];
  const seconds = trimmed.split(",").map(parseDuration);
  return seconds.includes(undefined) ? undefined : (seconds as number[]);
}

/** Returns an empty text for the default. */
export function formatSchedule(seconds: readonly number[] | undefined, byDefault: readonly number[]): string {
  if (!seconds || seconds.join() === byDefault.join()) return "";
  return scheduleInWords(seconds);
}

export function scheduleInWords(seconds: readonly number[]): string {
  return seconds.length === 0 ? SINGLE_ATTEMPT : seconds.map(formatSeconds).join(", ");
}

function parseDuration(part: string): number | undefined {
  const [, digits, unit = "s"] = /^(\d+(?:\.\d+)?)\s*(s|min|m|h|d)?$/.exec(part.trim()) ?? [];
  return digits === undefined ? undefined : Number(digits) * UNITS[unit]!;
}

/** The largest unit that loses nothing, as the text is read again. */
function formatSeconds(seconds: number): string {
  for (const [unit, size] of [
    ["d", 86_400],
    ["h", 3_600],
    ["min", 60],
  ] as const) {
    if (seconds >= size && seconds % size === 0) return `${seconds / size} ${unit}`;
  }
  return `${seconds} s`;
}
