/** The `Prefer` header (RFC 7240). */

/** One preference, up to the next comma outside quotes. */
const PREFERENCE = /(?:[^,"]|"(?:[^"\\]|\\.)*"?)+/g;

/** Whether the client asked for a response before the work is done. The bridge ignores all other preferences. */
export function prefersAsync(header: string | string[] | undefined): boolean {
  if (header === undefined) return false;
  const preferences = [header].flat().flatMap((line) => line.match(PREFERENCE) ?? []);
  return preferences.some((preference) => preference.split(";")[0]!.trim().toLowerCase() === RESPOND_ASYNC);
}

export const RESPOND_ASYNC = "respond-async";
