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
export type IntakeOutcome = "enqueued" | Unmatched | "other_copy";

/** Why a message gets no delivery. */
export type Unmatched = "unmatched" | "too_large" | "retained_skipped";

export interface IntakeOptions {
  /** Index of the session whose packets this intake takes. */
  session: number;
  /** Returns the destinations of a copy; undefined if they get another copy of the message. */
  router: { route(topic: string, copy: Copy): string[] | undefined };
  /** Makes a message durable for each destination, then calls `done`. */
  enqueuer: { add(message: Message, webhookIds: string[], done: () => void): void };
  /** Counts the messages that get no delivery; the enqueuer counts the others. */
  ledger: { note(outcome: Unmatched): void };
  observe: { received(outcome: IntakeOutcome, message: Message, webhookIds: string[]): void };
  maxPayloadBytes: number;
}

/** Takes a packet. `done` is called once the packet may be acknowledged. */
export type Intake = (packet: ReceivedPacket, done: () => void) => void;

/** Creates the intake of one session. It is synchronous up to the enqueuer, which keeps the order of the packets. */
export function createIntake(options: IntakeOptions): Intake {
  const { session, router, enqueuer, ledger, observe, maxPayloadBytes } = options;

  function end(outcome: Exclude<IntakeOutcome, "enqueued">, message: Message, done: () => void): void {
    if (outcome !== "other_copy") ledger.note(outcome);
    observe.received(outcome, message, []);
    done();
  }

  return (packet, done) => {
    const message = toMessage(packet);
    if (message.payload.length > maxPayloadBytes) return end("too_large", message, done);
    // The retain flag marks a message that was retained before the bridge subscribed (MQTT 5 section 3.3.1.3).
    if (packet.retain) return end("retained_skipped", message, done);
    const webhookIds = router.route(packet.topic, routedCopy(packet, session));
    if (!webhookIds) return end("other_copy", message, done);
    if (webhookIds.length === 0) return end("unmatched", message, done);
    enqueuer.add(message, webhookIds, () => {
      observe.received("enqueued", message, webhookIds);
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
