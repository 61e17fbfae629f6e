/**
 * Messages at which the broker recently ended the connection: an identical one is refused without another attempt,
 * because each attempt interrupts the connection for all other publishes.
 */
import type { OutgoingMessage, PublishResult } from "../../downlink/publish.ts";

/** Short, so that a change of the broker's rules takes effect soon. */
const KEEP_MS = 30_000;
/** Few, because a topic may have 64 KiB. */
const MAX_KEPT = 100;

export class KnownRefusals {
  /** Oldest first. */
  readonly #kept = new Map<string, { refusal: PublishResult; until: number }>();

  add(message: OutgoingMessage, refusal: PublishResult): void {
    const [oldest] = this.#kept.size < MAX_KEPT ? [] : this.#kept.keys();
    if (oldest !== undefined) this.#kept.delete(oldest);
    this.#kept.set(keyOf(message), { refusal, until: Date.now() + KEEP_MS });
  }

  find(message: OutgoingMessage): PublishResult | undefined {
    if (this.#kept.size === 0) return undefined;
    const key = keyOf(message);
    const found = this.#kept.get(key);
    if (!found || Date.now() < found.until) return found?.refusal;
    this.#kept.delete(key);
    return undefined;
  }
}

/** Key of all fields that a broker's rules consider; payload and correlation data count by length only. */
function keyOf({ topic, qos, retain, payload, contentType, responseTopic, ...rest }: OutgoingMessage): string {
  const { userProperties, correlationData } = rest;
  const lengths = [payload.length, correlationData?.length];
  return JSON.stringify([topic, qos, retain, lengths, contentType, responseTopic, userProperties]);
}
