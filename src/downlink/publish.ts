/** The way of a downlink message: check, publish, say truthfully what became of it. */
import { Problem } from "../errors.ts";
import type { Message } from "../message.ts";

/** What a publish needs; everything but the id and the time of receipt of a {@link Message}. */
export interface OutgoingMessage extends Omit<Message, "receivedAt"> {
  /** Message Expiry Interval in seconds, 0 to 4,294,967,295 (MQTT 5 section 3.3.2.3.3). */
  expirySeconds?: number;
}

/**
 * What the broker made of a publish. `reasonCode` is absent where the protocol has none (3.1.1); without it, `refused`
 * means that the broker ends the connection at this message and does not say why. `unavailable`:
 * nothing was sent. `timeout`: it was sent, or may have been, and no acknowledgement came. `busy`: too many publishes
 * are waiting for their acknowledgement.
 */
export type PublishResult =
  | { kind: "sent" }
  | { kind: "acknowledged"; reasonCode: number | undefined }
  | { kind: "refused"; reasonCode: number | undefined; reason: string }
  | { kind: "unavailable"; reason: string }
  | { kind: "timeout"; afterMs: number }
  | { kind: "busy" };

/** The port to the broker. Never rejects. */
export type Publish = (message: OutgoingMessage) => Promise<PublishResult>;

export interface PublishOutcome {
  id: string;
  topic: string;
  qos: 0 | 1 | 2;
  retain: boolean;
  outcome: "sent" | "acknowledged";
  noMatchingSubscribers: boolean | null;
}

/** MQTT 5 reason code: the message was accepted, and nobody subscribes to its topic (section 3.4.2.1). */
export const NO_MATCHING_SUBSCRIBERS = 0x10;
/** A broker that is away is looked for at least every second. */
const RETRY_AFTER = { "retry-after": "1" };

/** The HTTP answer to a publish. @throws Problem for every outcome that is not a success */
export function outcomeOf(message: OutgoingMessage, result: PublishResult): PublishOutcome {
  const { id, topic, qos, retain } = message;
  switch (result.kind) {
    case "sent":
      return { id, topic, qos, retain, outcome: "sent", noMatchingSubscribers: null };
    case "acknowledged": {
      const { reasonCode } = result;
      const noMatchingSubscribers = reasonCode === undefined ? null : reasonCode === NO_MATCHING_SUBSCRIBERS;
      return { id, topic, qos, retain, outcome: "acknowledged", noMatchingSubscribers };
    }
    case "refused":
      // No Retry-After without a code: the same would happen again.
      throw new Problem(result.reasonCode === undefined ? "broker_unavailable" : "broker_refused", refusalText(result));
    case "unavailable":
      throw new Problem("broker_unavailable", result.reason, { headers: RETRY_AFTER });
    case "timeout":
      throw new Problem(
        "broker_timeout",
        `no acknowledgement within ${result.afterMs / 1000} s; the message may have been published`,
      );
    case "busy":
      throw new Problem("rate_limited", "too many publishes wait for their acknowledgement", { headers: RETRY_AFTER });
  }
}

export function refusalText({ reasonCode, reason }: Extract<PublishResult, { kind: "refused" }>): string {
  return reasonCode === undefined ? reason : `the broker answered 0x${reasonCode.toString(16)}: ${reason}`;
}
