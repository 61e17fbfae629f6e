/** Real messages as samples for a preview, with their payload exactly as the device sent it. Pure. */
import {
  type CloudEvent,
  type Delivery,
  type MessageState,
  payloadText,
  type SampleMessage,
} from "causeway-mqtt/client";

export interface Sample {
  id: string;
  topic: string;
  /** Milliseconds since the epoch. */
  at: number;
  /** Webhooks that got it; absent for a live message. */
  webhookIds?: readonly string[];
  /** Absent until the payload is read. */
  message?: SampleMessage;
  /** Its content cannot be shown: the key may not read it, or it is no longer kept. */
  isUnreadable?: boolean;
}

/** Number of messages that a page works with, the maximum of one preview call. */
export const MAX_SAMPLES = 50;
/** Copies of a message arrive within this time, in milliseconds. */
const COPY_MS = 250;

/** Returns the messages of deliveries, each once, newest first; the bridge's own events are none. */
export function samplesOfDeliveries(deliveries: readonly Delivery[]): Sample[] {
  const seen = new Map<string, Sample>();
  for (const { messageId, webhookId, topic, type, receivedAt } of deliveries) {
    if (type !== undefined && type !== "mqtt.message") continue;
    const { webhookIds = [] } = seen.get(messageId) ?? {};
    const at = Date.parse(receivedAt);
    seen.set(messageId, { id: messageId, topic, at, webhookIds: [...webhookIds, webhookId] });
  }
  return [...seen.values()];
}

export function sampleOfEvent(event: CloudEvent): Sample {
  const { id, subject: topic, time } = event;
  const message: SampleMessage = {
    topic,
    qos: event.mqttqos,
    retain: event.mqttretain,
    ...(event.data_base64 === undefined ? { payload: payloadText(event) } : { payloadBase64: event.data_base64 }),
    // The same event results, whether the device declared the type or the bridge found it.
    ...(event.datacontenttype !== undefined && { contentType: event.datacontenttype }),
    ...(event.mqttresponsetopic !== undefined && { responseTopic: event.mqttresponsetopic }),
    ...(event.mqttcorrelationdata !== undefined && { correlationData: event.mqttcorrelationdata }),
    ...(event.mqttuserproperties !== undefined && {
      userProperties: JSON.parse(event.mqttuserproperties) as NonNullable<SampleMessage["userProperties"]>,
    }),
  };
  return { id, topic, at: Date.parse(time), message };
}

/** Returns the sample with the content of the stored message. */
export function withContent(sample: Sample, state: MessageState): Sample {
  if (state.direction !== "received") return { ...sample, isUnreadable: true };
  const { topic, payload, payloadBase64, qos, retain, contentType, responseTopic, correlationData, userProperties } =
    state;
  if (payload === undefined && payloadBase64 === undefined) return { ...sample, isUnreadable: true };
  const optional = { payload, payloadBase64, contentType, responseTopic, correlationData, userProperties };
  const given = Object.fromEntries(Object.entries(optional).filter(([, value]) => value !== undefined));
  return { ...sample, message: { topic, qos, retain, ...given } };
}

/** Merges two lists of samples, newest first; the one with content wins, and a copy is left out. */
export function mergeSamples(one: readonly Sample[], other: readonly Sample[], max = MAX_SAMPLES): Sample[] {
  const byId = new Map<string, Sample>();
  for (const sample of [...one, ...other]) {
    if (!byId.get(sample.id)?.message) byId.set(sample.id, sample);
  }
  const kept: Sample[] = [];
  // The copy with the first id stays, however often lists are merged.
  for (const sample of [...byId.values()].sort((a, b) => b.at - a.at || (a.id < b.id ? -1 : 1))) {
    if (!kept.some((earlier) => isCopy(earlier, sample))) kept.push(sample);
    if (kept.length === max) break;
  }
  return kept;
}

/**
 * Whether two samples are one message: where filters overlap, a broker may send a copy for each, and each copy has an
 * id of its own. A webhook gets only one of them.
 */
function isCopy(one: Sample, other: Sample): boolean {
  if (one.topic !== other.topic || Math.abs(one.at - other.at) > COPY_MS) return false;
  if (one.webhookIds?.some((id) => other.webhookIds?.includes(id))) return false;
  if (!one.message || !other.message) return true;
  return one.message.payload === other.message.payload && one.message.payloadBase64 === other.message.payloadBase64;
}

/** Whether the sample has content to work with. */
export function readable({ message }: Sample): boolean {
  return message !== undefined;
}

/** The payload in one line. */
export function excerptOf({ message, isUnreadable }: Sample, max = 80): string {
  if (isUnreadable) return "not readable";
  if (!message) return "";
  if (typeof message.payload === "string") return message.payload.slice(0, max);
  return message.payloadBase64 === undefined ? "" : `${message.payloadBase64.length} characters of base64`;
}
