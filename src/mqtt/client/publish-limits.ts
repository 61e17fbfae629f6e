/** Refuses messages beyond the limits in CONNACK, at which the broker would end the connection. */
import type { IConnackPacket } from "mqtt";
import mqttPacket from "mqtt-packet";
import type { OutgoingMessage, PublishResult } from "../../downlink/publish.ts";
import { propertiesOf, publishOptions } from "./publish-properties.ts";

/** Upper bound of the bytes of a PUBLISH without properties, besides topic and payload. */
const HEADER_BYTES = 16;

/** Returns the refusal, if any (MQTT 5 sections 3.2.2.3.4 to 3.2.2.3.6). */
export function beyondLimits(
  message: OutgoingMessage,
  { maximumQoS, retainAvailable, maximumPacketSize }: NonNullable<IConnackPacket["properties"]>,
): PublishResult | undefined {
  if (maximumQoS !== undefined && message.qos > maximumQoS) return refused(0x9b, "QoS not supported");
  if (retainAvailable === false && message.retain) return refused(0x9a, "Retain not supported");
  if (maximumPacketSize === undefined) return undefined;
  const { topic, payload } = message;
  const hasProperties = propertiesOf(message) !== undefined;
  if (!hasProperties && payload.length + topic.length * 3 + HEADER_BYTES <= maximumPacketSize) return undefined;
  const packet = { cmd: "publish", topic, payload, messageId: 1, dup: false, ...publishOptions(message, 5) } as const;
  const { length } = mqttPacket.generate(packet as mqttPacket.IPublishPacket, { protocolVersion: 5 });
  return length > maximumPacketSize ? refused(0x95, "Packet too large") : undefined;
}

export function refused(reasonCode: number | undefined, reason: string): PublishResult {
  return { kind: "refused", reasonCode, reason };
}
