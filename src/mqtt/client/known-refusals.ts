/**
 * Messages at which the broker has just ended the connection: the same one is refused without another try, for each
 * costs everyone else a moment without a connection.
 */
import type { OutgoingMessage, PublishResult } from "../../downlink/publish.ts";

/** Whoever changes the rules of the broker need not wait for long. */
const KEEP_MS = 30_000;
/** A topic may have 64 KiB. */
const MAX_KEPT = 100;

export class KnownRefusals {
  /** The oldest first. */
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

/** What a broker looks at: of payload and correlation data it knows the length only. */
function keyOf({ topic, qos, retain, payload, contentType, responseTopic, ...rest }: OutgoingMessage): string {
  const { userProperties, correlationData } = rest;
  const lengths = [payload.length, correlationData?.length];
  return JSON.stringify([topic, qos, retain, lengths, contentType, responseTopic, userProperties]);
}
