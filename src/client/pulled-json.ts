/** Reads pulled deliveries from the text of a response. */
import { elementSources, memberSources } from "../receiver/json-source.ts";
import { parseEvent } from "./payload.ts";
import type { PulledDelivery } from "./types.ts";

/** The text of JSON payloads is kept for `payloadText`. */
export function parsePulled(json: string): PulledDelivery[] {
  const items = elementSources(memberSources(json).get("items")!);
  return items.map((source) => {
    const members = memberSources(source);
    const { messageId, attempt, leaseToken } = JSON.parse(
      `{${["messageId", "attempt", "leaseToken"].map((name) => `"${name}":${members.get(name)}`).join()}}`,
    ) as Omit<PulledDelivery, "event">;
    return { messageId, attempt, leaseToken, event: parseEvent(members.get("event")!) };
  });
}
