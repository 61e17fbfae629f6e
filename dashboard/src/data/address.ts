/** Addresses of the pages, below the path prefix that the server writes into `<base href>`. */

/** The path prefix with a slash at its end, such as `/` or `/iot/`. */
export const BASE = new URL(document.baseURI).pathname;

/** Returns the path of a page. @param page without a slash at its start, such as `webhooks/wh_1` */
export function pathTo(page: string, query: Record<string, string | undefined> = {}): string {
  const given = Object.entries(query).filter((entry): entry is [string, string] => !!entry[1]);
  return BASE + page + (given.length === 0 ? "" : `?${new URLSearchParams(given)}`);
}
