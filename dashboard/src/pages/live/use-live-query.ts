import { useLocation } from "preact-iso";
import { pathTo } from "../../data/address.ts";
import { formatLiveQuery, type LiveQuery, parseLiveQuery } from "./live-query.ts";

/** The query of the page, and the addresses of its other states. */
export function useLiveQuery() {
  const { url, route } = useLocation();
  const query = parseLiveQuery(new URL(url, location.origin).search);
  const addressOf = (change: Partial<LiveQuery>) => pathTo("live") + formatLiveQuery({ ...query, ...change });
  return { query, addressOf, go: (change: Partial<LiveQuery>) => route(addressOf(change)) };
}
