/** Pages of lists. A cursor is the encoded position after which the next page begins, opaque to clients. */
import { type Refused, refuseField } from "../errors.ts";
import type { IdPrefix } from "../message.ts";

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** Encodes a position. */
export function encodeCursor(position: string): string {
  return Buffer.from(position).toString("base64url");
}

/** Returns the position in a cursor; undefined for a text that {@link encodeCursor} does not write. */
export function decodeCursor(cursor: string): string | undefined {
  const position = Buffer.from(cursor, "base64url").toString();
  // Decoding skips other characters and replaces invalid UTF-8.
  return encodeCursor(position) === cursor ? position : undefined;
}

/** Refuses a cursor of another list, or a broken one. */
export function refuseCursor(): Refused {
  return refuseField("invalid_request", "query.after", "is not a cursor of this list");
}

/**
 * Builds a page of a list sorted by id; the cursor is the last id.
 * @param found up to `limit` + 1 items: one more than `limit` when another page follows
 */
export function pageOf<T extends { id: string }>(found: T[], limit: number): Page<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > limit && last ? encodeCursor(last.id) : null };
}

/** Items read at once where many do not belong on the page. */
const SCANNED = 250;

/**
 * Builds a page of those items of a list, sorted by id, that are wanted: the others do not shorten it.
 * @param read returns up to `limit` items after an id
 */
export async function pageOfWanted<T extends { id: string }>(
  read: (range: { after?: string; limit: number }) => Promise<T[]>,
  isWanted: (item: T) => boolean,
  { limit, ...start }: { after?: string; limit: number },
): Promise<Page<T>> {
  const found: T[] = [];
  let from: { after?: string } = start;
  for (let size = limit + 1; ; size = SCANNED) {
    const more = await read({ limit: size, ...from });
    found.push(...more.filter(isWanted));
    if (found.length > limit || more.length < size) return pageOf(found, limit);
    from = { after: more.at(-1)!.id };
  }
}

/** Returns the id in a cursor of a list sorted by id; no id for the first page. */
export function afterOf(cursor: string | undefined, prefix: IdPrefix): { after?: string } | Refused {
  if (cursor === undefined) return {};
  const id = decodeCursor(cursor);
  return id !== undefined && new RegExp(`^${prefix}_[0-9a-f-]{36}$`).test(id) ? { after: id } : refuseCursor();
}
