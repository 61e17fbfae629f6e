/** Reading what topics hold: the ports. */
import { createHash } from "node:crypto";
import type { QoS, UserProperties } from "../message.ts";

export interface RetainedMessage {
  topic: string;
  payload: Buffer;
  qos: QoS;
  contentType?: string;
  userProperties?: UserProperties;
}

/** Topics that hold a retained message, in any order. */
export interface FoundTopics {
  topics: string[];
  /** There are more. */
  truncated: boolean;
}

/** The topics under a valid filter. @throws Problem broker_unavailable, broker_refused, rate_limited */
export type FindRetained = (filter: string) => Promise<FoundTopics>;

/** The messages of these topics, in their order, without those that hold nothing. @throws Problem */
export type ReadSeveral = (topics: string[]) => AsyncIterable<RetainedMessage>;

/** An entity tag (RFC 9110 section 8.8.3) that changes whenever the message does. */
export function etagOf({ payload, contentType, qos, userProperties }: RetainedMessage): string {
  const hash = createHash("sha256")
    .update(JSON.stringify([contentType, qos, userProperties]))
    .update(payload);
  return `"${hash.digest("base64url").slice(0, 22)}"`;
}

/** Resolves to undefined when the topic holds nothing. @throws Problem broker_unavailable, broker_refused */
export type ReadRetained = (topic: string) => Promise<RetainedMessage | undefined>;
