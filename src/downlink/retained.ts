/** Ports for reading retained messages. */
import { shortDigest } from "../lib/digest.ts";
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
  /** The result was cut off: there are more topics. */
  truncated: boolean;
}

/** Finds the topics under a valid filter. @throws BrokerQueryError */
export type FindRetained = (filter: string) => Promise<FoundTopics>;

/** Reads the messages of these topics, in their order; topics that hold nothing are omitted. @throws BrokerQueryError */
export type ReadSeveral = (topics: string[]) => AsyncIterable<RetainedMessage>;

/** An entity tag (RFC 9110 section 8.8.3) that changes whenever the message does. */
export function etagOf({ payload, contentType, qos, userProperties }: RetainedMessage): string {
  return `"${shortDigest(JSON.stringify([contentType, qos, userProperties]), payload)}"`;
}

/** Resolves to undefined if the topic holds no retained message. @throws BrokerQueryError */
export type ReadRetained = (topic: string) => Promise<RetainedMessage | undefined>;
