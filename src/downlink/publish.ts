/** A downlink message: the input, result and HTTP outcome of a publish. */
import { Refused } from "../errors.ts";
import type { Message } from "../message.ts";

/** A message to publish: a {@link Message} without its time of receipt. */
export interface OutgoingMessage extends Omit<Message, "receivedAt"> {
  /** Message Expiry Interval in seconds, 0 to 4,294,967,295 (MQTT 5 section 3.3.2.3.3). */
  expirySeconds?: number;
}

/**
 * The broker's response to a publish. `reasonCode` is absent if the protocol has none (3.1.1); `refused` without it
 * means that the broker closes the connection at this message without giving a reason. `unavailable`: nothing was sent.
 * `timeout`: the message was, or may have been, sent, and no acknowledgement arrived. `busy`: too many publishes wait
 * for their acknowledgement.
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

/** MQTT 5 reason code: the message was accepted, but its topic has no subscribers (section 3.4.2.1). */
export const NO_MATCHING_SUBSCRIBERS = 0x10;
/** The bridge tries to reach an unavailable broker at least every second. */
const SOON = { retryAfterSeconds: 1 };

/** Maps the result of a publish to the API's response, or refuses: every result but `sent` and `acknowledged`. */
export function outcomeOf(message: OutgoingMessage, result: PublishResult): PublishOutcome | Refused {
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
      // No Retry-After without a reason code: a retry would have the same result.
      return new Refused(
        result.reasonCode === undefined ? "broker_unavailable" : "broker_refused",
        refusalText(result),
      );
    case "unavailable":
      return new Refused("broker_unavailable", result.reason, SOON);
    case "timeout":
      return new Refused(
        "broker_timeout",
        `no acknowledgement within ${result.afterMs / 1000} s; the message may have been published`,
      );
    case "busy":
      return new Refused("rate_limited", "too many publishes are waiting for their acknowledgement", SOON);
  }
}

export function refusalText({ reasonCode, reason }: Extract<PublishResult, { kind: "refused" }>): string {
  return reasonCode === undefined ? reason : `the broker answered 0x${reasonCode.toString(16)}: ${reason}`;
}
