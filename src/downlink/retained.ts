/** Reading what a topic holds: the port. */
import type { QoS, UserProperties } from "../message.ts";

export interface RetainedMessage {
  topic: string;
  payload: Buffer;
  qos: QoS;
  contentType?: string;
  userProperties?: UserProperties;
}

/** Resolves to undefined when the topic holds nothing. @throws Problem broker_unavailable, broker_refused */
export type ReadRetained = (topic: string) => Promise<RetainedMessage | undefined>;
