/** Passes expressions from the workbench to the form: they are too long for a URL. */
import type { Draft } from "./draft.ts";

const NAME = "causeway-draft";

type Handover = Pick<Draft, "topics" | "filter" | "transform">;

export function handOver(draft: Handover): void {
  sessionStorage.setItem(NAME, JSON.stringify(draft));
}

/** Returns the draft once. */
export function takeOver(): Handover | undefined {
  const text = sessionStorage.getItem(NAME);
  sessionStorage.removeItem(NAME);
  if (text === null) return undefined;
  const { topics = "", filter = "", transform = "" } = JSON.parse(text) as Partial<Handover>;
  return { topics, filter, transform };
}
