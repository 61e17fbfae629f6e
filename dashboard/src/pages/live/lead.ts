/** The first line of the live page. Pure. */
import { countOf, formatCount } from "../../data/format.ts";
import { MAX_MESSAGES } from "./tail.ts";

interface Figures {
  rate: number;
  filters: readonly string[];
  branch: string | undefined;
  /** Messages in the list. */
  shown: number;
  total: number;
}

/** `1,240 msg/s on devices/#, showing the last 500`. */
export function leadOf({ rate, filters, branch, shown, total }: Figures): string {
  const digits = rate > 0 && rate < 10 ? 1 : 0;
  const speed = `${rate.toLocaleString("en", { maximumFractionDigits: digits })} msg/s on ${filters.join(", ")}`;
  const below = branch === undefined ? "" : ` below ${branch}`;
  if (total === 0) return `${speed}, no message yet`;
  if (shown < Math.min(total, MAX_MESSAGES)) return `${speed}, showing ${countOf(shown, "message")}${below}`;
  if (shown < MAX_MESSAGES) return `${speed}, showing all ${formatCount(shown)}${below}`;
  return `${speed}, showing the last ${formatCount(MAX_MESSAGES)}${below}`;
}

/** A topic that a filter matches, to try it with. */
export function exampleTopic(filter: string | undefined): string {
  if (filter === undefined || filter === "#") return "demo/hello";
  return filter
    .split("/")
    .map((level) => (level === "#" ? "hello" : level === "+" ? "demo" : level))
    .join("/");
}
