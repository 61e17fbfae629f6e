/** The form in one sentence. Pure. */
import type { Draft } from "./draft.ts";
import { topicsOf } from "./draft.ts";

const SHOWN = 3;

/** `Sends messages on devices/+/telemetry to https://…`, with what is still missing. */
export function sentenceOf(
  draft: Pick<Draft, "topics" | "url" | "filter" | "events"> & Partial<Pick<Draft, "type">>,
): string {
  const topics = topicsOf(draft);
  const where = topics.slice(0, SHOWN).join(", ") + (topics.length > SHOWN ? ` and ${topics.length - SHOWN} more` : "");
  const what = [
    topics.length > 0 && `${draft.filter.trim() ? "messages that pass the filter" : "messages"} on ${where}`,
    draft.events.length > 0 && "events of the bridge",
  ].filter(Boolean);
  const subject = what.length === 0 ? "messages on … (no topic yet)" : what.join(" and ");
  if (draft.type === "pull") return `Keeps ${subject} until a consumer takes them`;
  return `Sends ${subject} to ${draft.url.trim() || "… (no URL yet)"}`;
}

/** The message for a field and the fields below it: `topics[1]` belongs to `topics`. */
export function errorFor(errors: Readonly<Record<string, string>>, field: string, draft?: Draft): string | undefined {
  const topics = draft && field === "topics" ? topicsOf(draft) : [];
  const found = Object.entries(errors)
    .filter(([path]) => path === field || path.startsWith(`${field}.`) || path.startsWith(`${field}[`))
    .map(([path, message]) => {
      const index = /^topics\[(\d+)\]$/.exec(path)?.[1];
      const part = index === undefined ? path.slice(field.length).replace(/^\./, "") : (topics[Number(index)] ?? path);
      return part === "" ? message : `${part}: ${message}`;
    });
  return found.length === 0 ? undefined : found.join(". ");
}
