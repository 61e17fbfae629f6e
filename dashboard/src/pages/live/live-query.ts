/** The state of the live page in its address. Pure. */

export interface LiveQuery {
  /** Empty: those of the key. */
  topics: string[];
  tab: "stream" | "retained";
  /** The branch of the topic tree to which the stream is restricted. */
  branch?: string | undefined;
  panel: "message" | "publish" | "ask";
  /** The topic of the form that publishes or asks. */
  to?: string | undefined;
}

const TABS = ["stream", "retained"] as const;
const PANELS = ["message", "publish", "ask"] as const;

/** @param search of the address, such as `?topics=devices/%23` */
export function parseLiveQuery(search: string): LiveQuery {
  const query = new URLSearchParams(search);
  return {
    topics: [...new Set(query.getAll("topics").filter((filter) => filter !== ""))],
    tab: TABS.find((tab) => tab === query.get("tab")) ?? "stream",
    branch: query.get("branch") ?? undefined,
    panel: PANELS.find((panel) => panel === query.get("panel")) ?? "message",
    to: query.get("to") || undefined,
  };
}

/** Returns the query with its question mark, or nothing for the page as it is first opened. */
export function formatLiveQuery({ topics, tab, branch, panel, to }: LiveQuery): string {
  const query = new URLSearchParams();
  for (const topic of topics) query.append("topics", topic);
  if (tab !== "stream") query.set("tab", tab);
  if (branch !== undefined) query.set("branch", branch);
  if (panel !== "message") query.set("panel", panel);
  if (to) query.set("to", to);
  return query.size === 0 ? "" : `?${query}`;
}
