/**
 * Messages at which the broker recently ended the connection: an identical one is refused without another attempt,
 * because each attempt interrupts the connection for all other publishes.
 */
import { LRUCache } from "lru-cache";
import type { OutgoingMessage, PublishResult } from "../../downlink/publish.ts";

/** Short, so that a change of the broker's rules takes effect soon. */
const KEEP_MS = 30_000;
/** Few, because a topic may have 64 KiB. */
const MAX_KEPT = 100;

export class KnownRefusals {
  readonly #kept = new LRUCache<string, PublishResult>({ max: MAX_KEPT, ttl: KEEP_MS });

  add(message: OutgoingMessage, refusal: PublishResult): void {
    this.#kept.set(keyOf(message), refusal);
  }

  find(message: OutgoingMessage): PublishResult | undefined {
    // The key of every published message would be costly.
    return this.#kept.size === 0 ? undefined : this.#kept.get(keyOf(message));
  }
}

/** Key of all fields that a broker's rules consider; payload and correlation data count by length only. */
function keyOf({ topic, qos, retain, payload, contentType, responseTopic, ...rest }: OutgoingMessage): string {
  const { userProperties, correlationData } = rest;
  const lengths = [payload.length, correlationData?.length];
  return JSON.stringify([topic, qos, retain, lengths, contentType, responseTopic, userProperties]);
}
