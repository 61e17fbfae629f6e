/** Payload and MQTT properties of a live message. Pure. */
import { type CloudEvent, payloadText } from "causeway-mqtt/client";

/** The payload for {@link PayloadView}: text as it was sent, or base64. */
export function contentOf(event: CloudEvent): { text?: string; base64?: string } {
  return event.data_base64 === undefined ? { text: payloadText(event) } : { base64: event.data_base64 };
}

/** The payload for comparisons: binary ones by their base64. */
export function textOf(event: CloudEvent): string {
  return event.data_base64 ?? payloadText(event);
}

/** The properties of the message as names and values. */
export function propertiesOf(event: CloudEvent): [name: string, value: string][] {
  const { mqttresponsetopic, mqttcorrelationdata, mqttuserproperties, datacontenttype, traceparent } = event;
  const facts: [string, string | undefined][] = [
    ["QoS", String(event.mqttqos)],
    ["Retained", event.mqttretain ? "yes" : "no"],
    ["Content type", datacontenttype],
    ["Response topic", mqttresponsetopic],
    ["Correlation data (base64)", mqttcorrelationdata],
    ["Trace", typeof traceparent === "string" ? traceparent : undefined],
    ...userProperties(mqttuserproperties),
  ];
  return facts.filter((fact): fact is [string, string] => fact[1] !== undefined);
}

function userProperties(json: string | undefined): [string, string][] {
  if (json === undefined) return [];
  const properties = JSON.parse(json) as Record<string, string | string[]>;
  return Object.entries(properties).flatMap(([name, value]) =>
    [value].flat().map((one): [string, string] => [`User property ${name}`, one]),
  );
}
