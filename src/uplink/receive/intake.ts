/** Path of an uplink message until it is durable: receive → check → route → enqueue → acknowledge. */
import { type Message, newId, type QoS, type UserProperties } from "../../message.ts";
import type { Copy } from "./router.ts";

/** A PUBLISH packet from the broker. */
export interface ReceivedPacket {
  topic: string;
  payload: string | Buffer;
  qos: QoS;
  retain: boolean;
  dup: boolean;
  properties?: {
    contentType?: string;
    responseTopic?: string;
    correlationData?: Buffer;
    userProperties?: UserProperties;
    subscriptionIdentifier?: number | number[];
  };
  /**
   * Stored id and time of receipt of a QoS 2 message, which the broker may resend. Absent: a new message, received now.
   */
  identity?: { id: string; receivedAt: number };
}

/**
 * Outcome of a received packet; every outcome is counted. `other_copy`: one of several copies of a message on
 * overlapping filters, and not the copy that counts.
 */
export type IntakeOutcome = "enqueued" | "unmatched" | "too_large" | "retained_skipped" | "other_copy";

export interface IntakeOptions {
  route(topic: string, copy: Copy): string[] | undefined;
  enqueue(message: Message, webhookIds: string[], done: () => void): void;
  maxPayloadBytes: number;
  observe(outcome: IntakeOutcome, message: Message, webhookIds: string[]): void;
}

export type Intake = (packet: ReceivedPacket, session: number, done: () => void) => void;

/** Creates the intake. `done` is called once the packet may be acknowledged. */
export function createIntake({ route, enqueue, maxPayloadBytes, observe }: IntakeOptions): Intake {
  return (packet, session, done) => {
    const message = toMessage(packet);
    if (message.payload.length > maxPayloadBytes) {
      observe("too_large", message, []);
      return done();
    }
    // The retain flag marks a message that was retained before the bridge subscribed (MQTT 5 section 3.3.1.3).
    if (packet.retain) {
      observe("retained_skipped", message, []);
      return done();
    }
    const webhookIds = route(packet.topic, routedCopy(packet, session));
    if (!webhookIds || webhookIds.length === 0) {
      observe(webhookIds ? "unmatched" : "other_copy", message, []);
      return done();
    }
    enqueue(message, webhookIds, () => {
      observe("enqueued", message, webhookIds);
      done();
    });
  };
}

/** Origin of the copy, for the router. */
export function routedCopy({ properties }: ReceivedPacket, session: number): Copy {
  const ids = properties?.subscriptionIdentifier;
  return { session, ids: typeof ids === "number" ? [ids] : ids };
}

export function toMessage(packet: ReceivedPacket): Message {
  const { topic, payload, qos, retain, properties, identity } = packet;
  const message: Message = {
    id: identity?.id ?? newId("msg"),
    topic,
    payload: typeof payload === "string" ? Buffer.from(payload) : payload,
    qos,
    retain,
    receivedAt: identity?.receivedAt ?? Date.now(),
  };
  if (properties) {
    const { contentType, responseTopic, correlationData, userProperties } = properties;
    if (contentType !== undefined) message.contentType = contentType;
    if (responseTopic !== undefined) message.responseTopic = responseTopic;
    if (correlationData !== undefined) message.correlationData = correlationData;
    // MQTT.js creates an object without a prototype; JSON and deep comparison expect a plain one.
    if (userProperties !== undefined) message.userProperties = { ...userProperties };
  }
  return message;
}
