/** MQTT 5 properties of a publish. */
import type { IClientPublishOptions } from "mqtt";
import type { OutgoingMessage } from "../../downlink/publish.ts";

type Properties = NonNullable<IClientPublishOptions["properties"]>;

/** Omits properties on 3.1.1, which has none, instead of refusing the message. */
export function publishOptions(message: OutgoingMessage, protocol: number | undefined): IClientPublishOptions {
  const { qos, retain } = message;
  const properties = protocol === 5 ? propertiesOf(message) : undefined;
  return properties ? { qos, retain, properties } : { qos, retain };
}

/** Undefined if the message has no properties. */
export function propertiesOf(message: OutgoingMessage): Properties | undefined {
  const { contentType, responseTopic, correlationData, userProperties, expirySeconds } = message;
  const properties: Properties = {};
  if (contentType !== undefined) properties.contentType = contentType;
  if (responseTopic !== undefined) properties.responseTopic = responseTopic;
  if (correlationData !== undefined) properties.correlationData = correlationData;
  if (userProperties !== undefined && hasValues(userProperties)) properties.userProperties = userProperties;
  if (expirySeconds !== undefined) properties.messageExpiryInterval = expirySeconds;
  for (const _ in properties) return properties;
  return undefined;
}

/** MQTT.js takes an empty property for an invalid one: it does not write the packet, and reports no error. */
function hasValues(userProperties: NonNullable<OutgoingMessage["userProperties"]>): boolean {
  return Object.values(userProperties).some((value) => typeof value === "string" || value.length > 0);
}
