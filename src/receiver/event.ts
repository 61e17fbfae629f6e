/** Reads the events of a call: a CloudEvent in structured or binary mode, or a batch. Pure. */
import type { QoS, UserProperties } from "../message.ts";
import { fromBase64 } from "./base64.ts";
import { RefusedCall } from "./errors.ts";
import { elementSources, memberSources } from "./json-source.ts";
import type { CallHeaders } from "./signature.ts";

/** A message of a device, or an event of the bridge. */
export interface ReceivedEvent {
  /** The same on every attempt. */
  readonly id: string;
  /** `mqtt.message`, `webhook.test`, or an event of the bridge, e.g. `webhook.failing`. */
  readonly type: string;
  /** The bridge that sent it (`EVENT_SOURCE`). */
  readonly source: string;
  readonly topic: string;
  /** Time of receipt by the bridge. */
  readonly time: Date;
  /** Absent in events that are not messages. */
  readonly qos?: QoS;
  readonly retained: boolean;
  readonly contentType?: string;
  readonly userProperties: UserProperties;
  readonly responseTopic?: string;
  readonly correlationData?: Uint8Array;
  /** With `ordering`: sorts as text. */
  readonly sequence?: string;
  /** 1 at the first attempt; in a batch the highest of its events. Not signed. */
  readonly attempt: number;
  /** The payload as the device sent it. */
  bytes(): Uint8Array<ArrayBuffer>;
  /** The payload as text: `21.50` stays `21.50`. Bytes that are not UTF-8 become U+FFFD. */
  text(): string;
  /** The payload parsed as JSON. Throws a SyntaxError when it is not JSON. */
  json<T = unknown>(): T;
}

export interface Call {
  headers: CallHeaders;
  body: Uint8Array<ArrayBuffer>;
}

export interface EventsOfCall {
  isBatch: boolean;
  events: ReceivedEvent[];
}

const BATCH = "application/cloudevents-batch+json";
const EVENT = "application/cloudevents+json";

/** Throws a {@link RefusedCall} with status 400 for a body or headers that hold no event of the bridge. */
export function eventsOf({ headers, body }: Call): EventsOfCall {
  const attempt = Number(/^[1-9]\d{0,8}$/.exec(headers["causeway-attempt"] ?? "")?.[0] ?? 1);
  const mediaType = (headers["content-type"] ?? "").split(";", 1)[0]!.trim().toLowerCase();
  // A device chooses the content type in binary mode. Its payload must not pass for an event with a topic of its own.
  const isBinary = headers["ce-id"] !== undefined;
  if (!isBinary && mediaType === BATCH) {
    const text = jsonText(body);
    if (!Array.isArray(JSON.parse(text))) throw new RefusedCall(400, "the batch is not an array");
    return { isBatch: true, events: elementSources(text).map((source) => structuredEvent(source, attempt)) };
  }
  if (!isBinary && mediaType !== EVENT) throw new RefusedCall(400, "not a CloudEvent");
  const event = isBinary ? binaryEvent(headers, body, attempt) : structuredEvent(jsonText(body), attempt);
  // Only webhook-id is signed in binary mode; it also names the call that is remembered.
  if (event.id !== headers["webhook-id"]) throw new RefusedCall(400, "the id of the event is not the webhook-id");
  return { isBatch: false, events: [event] };
}

/** The body as text that is valid JSON. */
function jsonText(body: Uint8Array): string {
  try {
    const text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(body);
    JSON.parse(text);
    return text;
  } catch {
    throw new RefusedCall(400, "the body is not JSON in UTF-8");
  }
}

type Attributes = Record<string, unknown>;

/** @param source valid JSON */
function structuredEvent(source: string, attempt: number): ReceivedEvent {
  const attributes = JSON.parse(source) as Attributes | null;
  if (attributes === null || typeof attributes !== "object" || Array.isArray(attributes)) {
    throw new RefusedCall(400, "an event is not an object");
  }
  const { data, data_base64: base64, datacontenttype } = attributes;
  const contentType = optional(attributes, "datacontenttype");
  if (base64 !== undefined) {
    const bytes = typeof base64 === "string" ? fromBase64(base64) : undefined;
    if (!bytes) throw new RefusedCall(400, "data_base64 is not base64");
    return eventOf(attributes, payloadOfBytes(bytes), { contentType, attempt });
  }
  // CloudEvents JSON format section 3.1.1: a string is the payload itself unless the type is JSON.
  const isText = typeof data === "string" && datacontenttype !== undefined && !isJsonType(String(datacontenttype));
  const text = isText ? data : (memberSources(source).get("data") ?? "");
  return eventOf(attributes, payloadOfText(text), { contentType, attempt });
}

function binaryEvent(headers: CallHeaders, body: Uint8Array<ArrayBuffer>, attempt: number): ReceivedEvent {
  const attributes: Attributes = {};
  for (const [name, value] of Object.entries(headers)) {
    if (name.startsWith("ce-") && value !== undefined) attributes[name.slice(3)] = percentDecoded(name, value);
  }
  const { mqttqos, mqttretain } = attributes;
  if (mqttqos !== undefined) attributes.mqttqos = Number(mqttqos);
  if (mqttretain !== undefined) attributes.mqttretain = mqttretain === "true";
  return eventOf(attributes, payloadOfBytes(body), { contentType: headers["content-type"], attempt });
}

/** CloudEvents HTTP binding section 3.1.3.2. */
function percentDecoded(name: string, value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    throw new RefusedCall(400, `${name} is not percent-encoded UTF-8`);
  }
}

type Payload = Pick<ReceivedEvent, "bytes" | "text" | "json">;

function eventOf(
  attributes: Attributes,
  payload: Payload,
  { contentType, attempt }: Pick<ReceivedEvent, "contentType" | "attempt">,
): ReceivedEvent {
  if (attributes.specversion !== "1.0") throw new RefusedCall(400, "not a CloudEvent 1.0");
  const time = new Date(required(attributes, "time"));
  if (Number.isNaN(time.getTime())) throw new RefusedCall(400, "time is not a time");
  const { mqttqos: qos, mqttretain } = attributes;
  if (qos !== undefined && qos !== 0 && qos !== 1 && qos !== 2) throw new RefusedCall(400, "mqttqos is not a QoS");
  const correlation = optional(attributes, "mqttcorrelationdata");
  const correlationData = correlation === undefined ? undefined : fromBase64(correlation);
  if (correlation !== undefined && !correlationData) throw new RefusedCall(400, "mqttcorrelationdata is not base64");
  return {
    id: required(attributes, "id"),
    type: required(attributes, "type"),
    source: required(attributes, "source"),
    topic: required(attributes, "subject"),
    time,
    ...(qos !== undefined && { qos }),
    retained: mqttretain === true,
    ...(contentType !== undefined && { contentType }),
    userProperties: userPropertiesOf(optional(attributes, "mqttuserproperties")),
    ...present("responseTopic", optional(attributes, "mqttresponsetopic")),
    ...present("correlationData", correlationData),
    ...present("sequence", optional(attributes, "sequence")),
    attempt,
    ...payload,
  };
}

function present<K extends string, V>(name: K, value: V | undefined): { [P in K]?: V } {
  return value === undefined ? {} : ({ [name]: value } as { [P in K]?: V });
}

function required(attributes: Attributes, name: string): string {
  const value = optional(attributes, name);
  if (!value) throw new RefusedCall(400, `an event has no ${name}`);
  return value;
}

function optional(attributes: Attributes, name: string): string | undefined {
  const value = attributes[name];
  if (value !== undefined && typeof value !== "string") throw new RefusedCall(400, `${name} is not a string`);
  return value;
}

function userPropertiesOf(json: string | undefined): UserProperties {
  try {
    const properties = JSON.parse(json ?? "{}") as unknown;
    if (properties !== null && typeof properties === "object" && !Array.isArray(properties)) {
      return properties as UserProperties;
    }
  } catch {}
  throw new RefusedCall(400, "mqttuserproperties is not a JSON object");
}

function payloadOfText(text: string): Payload {
  return { bytes: () => new TextEncoder().encode(text), text: () => text, json: () => JSON.parse(text) };
}

function payloadOfBytes(bytes: Uint8Array<ArrayBuffer>): Payload {
  const text = () => new TextDecoder("utf-8", { ignoreBOM: true }).decode(bytes);
  return { bytes: () => bytes, text, json: () => JSON.parse(text()) };
}

/** Subtype `json` or suffix `+json`. */
function isJsonType(mediaType: string): boolean {
  return /^[^/;]+\/(?:[^;]*\+)?json[ \t]*(?:;|$)/i.test(mediaType);
}
