/** Pages of lists sorted by id; the cursor is the encoded last id, opaque to clients. */
import { fieldProblem } from "../errors.ts";
import type { IdPrefix } from "../message.ts";

export interface Page<T> {
  items: T[];
  nextCursor: string | null;
}

/** Builds a page. @param found up to `limit` + 1 items: one more than `limit` when another page follows */
export function pageOf<T extends { id: string }>(found: T[], limit: number): Page<T> {
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, nextCursor: found.length > limit && last ? Buffer.from(last.id).toString("base64url") : null };
}

/** Returns the id in a cursor; no id for the first page. @throws Problem */
export function afterOf(cursor: string | undefined, prefix: IdPrefix): { after?: string } {
  if (cursor === undefined) return {};
  const id = Buffer.from(cursor, "base64url").toString();
  if (!new RegExp(`^${prefix}_[0-9a-f-]{36}$`).test(id)) {
    throw fieldProblem("invalid_request", "query.after", "is not a cursor of this list");
  }
  return { after: id };
}
