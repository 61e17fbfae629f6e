/** Date-times of RFC 3339. */

const DATE_TIME =
  /^(\d{4})-(\d\d)-(\d\d)[Tt]([01]\d|2[0-3]):[0-5]\d:[0-5]\d(?:\.\d+)?(?:[Zz]|[+-](?:[01]\d|2[0-3]):[0-5]\d)$/;

/** Returns milliseconds since the epoch, or undefined for an invalid date-time. Leap seconds are not accepted. */
export function parseDateTime(text: string): number | undefined {
  const [, year, month, day] = DATE_TIME.exec(text) ?? [];
  if (year === undefined) return undefined;
  // Date.parse reads 30 February as 2 March.
  const date = new Date(`${year}-${month}-${day}T00:00:00Z`);
  if (Number.isNaN(date.getTime()) || date.getUTCDate() !== Number(day)) return undefined;
  return Date.parse(text.toUpperCase());
}
