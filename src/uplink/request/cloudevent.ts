/** Encodes a message as a CloudEvent 1.0, and as the HTTP request that carries the event. */
import type { Message } from "../../message.ts";
import { utf8Text } from "../../message.ts";
import { userAgent } from "../../version.ts";
import { headerError, isEventType, isJsonType, isMediaType, percentEncode } from "./headers.ts";

/** A message after decoding. */
interface DecodedMessage extends Message {
  /** Why the payload could not be decoded. */
  decodeError?: string;
}

/** Source, type and sequence of an event. */
export interface EventOrigin {
  /** CloudEvents `source`, a URI reference. */
  source: string;
  /** CloudEvents `type`; absent: `mqtt.message`. Any other type is no MQTT message and has no MQTT extensions. */
  type?: string;
  /** CloudEvents extension attribute `sequence`. */
  sequence?: string;
}

export interface CallHeaders {
  /** The registration's own headers. A header that {@link headerError} refuses is omitted. */
  webhookHeaders?: Record<string, string>;
  /** 1 at the first attempt. */
  attempt: number;
  /** Milliseconds since the epoch; becomes `webhook-timestamp`. */
  now: number;
}

export interface RequestOptions extends EventOrigin, CallHeaders {
  mode: "structured" | "binary";
}

/** Request to sign over `body`, `webhook-id` and `webhook-timestamp`. Header names are lower case. */
export interface WebhookRequest {
  body: Buffer;
  headers: Record<string, string>;
}

export function buildRequest(message: DecodedMessage, options: RequestOptions): WebhookRequest {
  const headers = callHeaders(message.id, options);
  const traceparent = traceparentOf(message);
  if (traceparent !== undefined) headers.traceparent = traceparent;

  if (options.mode === "structured") {
    headers["content-type"] = "application/cloudevents+json";
    return { body: eventJson(message, options), headers };
  }
  const declared = declaredType(message);
  // This type tells structured mode and batches from binary mode (CloudEvents HTTP binding section 3): a device that
  // declares it could make a receiver take its payload for an event of any id and topic.
  const isEvent = declared !== undefined && isEventType(declared);
  headers["content-type"] = declared !== undefined && !isEvent ? declared : typeOfContent(message);
  for (const [name, value] of attributes(message, options)) headers[`ce-${name}`] = percentEncode(String(value));
  return { body: message.payload, headers };
}

/** Encodes an event in the CloudEvents JSON format: one JSON object in UTF-8. */
export function eventJson(message: DecodedMessage, origin: EventOrigin): Buffer {
  return Buffer.from(eventText(message, origin), "utf8");
}

/** Encodes an event as {@link eventJson} does, as text. */
export function eventText(message: DecodedMessage, origin: EventOrigin): string {
  const data = dataOf(message);
  let head = "";
  for (const [name, value] of attributes(message, origin)) head += `"${name}":${JSON.stringify(value)},`;
  return `{${head}"datacontenttype":${JSON.stringify(data.contentType)},${data.member}}`;
}

/** Builds one request for several events. @param events results of {@link eventJson} */
export function buildBatchRequest(id: string, events: readonly Buffer[], options: CallHeaders): WebhookRequest {
  const headers = callHeaders(id, options);
  headers["content-type"] = "application/cloudevents-batch+json";
  return { body: batchJson(events), headers };
}

/** Joins events in the CloudEvents JSON batch format. */
export function batchJson(events: readonly Buffer[]): Buffer {
  const parts = events.flatMap((event, i) => [i === 0 ? BRACKETS.open : BRACKETS.comma, event]);
  return Buffer.concat(parts.length === 0 ? [Buffer.from("[]")] : [...parts, BRACKETS.close]);
}

const BRACKETS = { open: Buffer.from("["), comma: Buffer.from(","), close: Buffer.from("]") };

/** Returns the headers of every call. @param id becomes `webhook-id` */
function callHeaders(id: string, { webhookHeaders, attempt, now }: CallHeaders): Record<string, string> {
  const headers = ownHeaders(webhookHeaders);
  headers["user-agent"] = userAgent;
  headers["webhook-id"] = percentEncode(id);
  headers["webhook-timestamp"] = String(Math.floor(now / 1_000));
  headers["causeway-attempt"] = String(attempt);
  return headers;
}

type Attribute = readonly [name: string, value: string | number | boolean];

/** Returns every context attribute but `datacontenttype`, which the two modes carry in different places. */
function attributes(message: DecodedMessage, { source, type, sequence }: EventOrigin): Attribute[] {
  const { id, topic, qos, retain, receivedAt, responseTopic, correlationData, userProperties, decodeError } = message;
  const list: Attribute[] = [
    ["specversion", "1.0"],
    ["id", id],
    ["source", source],
    ["type", type ?? "mqtt.message"],
    ["subject", topic],
    ["time", new Date(receivedAt).toISOString()],
  ];
  if (type === undefined) list.push(["mqttqos", qos], ["mqttretain", retain]);
  if (responseTopic !== undefined) list.push(["mqttresponsetopic", responseTopic]);
  if (correlationData !== undefined) list.push(["mqttcorrelationdata", correlationData.toString("base64")]);
  if (userProperties !== undefined) list.push(["mqttuserproperties", JSON.stringify(userProperties)]);
  if (decodeError !== undefined) list.push(["mqttdecodeerror", decodeError]);
  if (sequence !== undefined) list.push(["sequence", sequence]);
  const traceparent = traceparentOf(message);
  if (traceparent !== undefined) list.push(["traceparent", traceparent]);
  return list;
}

interface Data {
  contentType: string;
  /** `"data":…` or `"data_base64":…`. */
  member: string;
}

/**
 * Encodes the payload as a member of the event (CloudEvents JSON format section 3.1.1).
 * JSON is inserted unchanged, unless the device declared another type: then the receiver's library reads `data` as
 * text, and `"abc"` would lose its quotation marks or `1.10` its zero.
 */
function dataOf(message: DecodedMessage): Data {
  const { payload } = message;
  const declared = declaredType(message);
  const text = message.decodeError === undefined ? utf8Text(payload) : undefined;
  if (text === undefined) {
    const member = `"data_base64":"${payload.toString("base64")}"`;
    return { contentType: declared ?? "application/octet-stream", member };
  }
  const mayBeJson = declared === undefined || isJsonType(declared);
  if (mayBeJson && isJson(payload, text)) {
    return { contentType: declared ?? "application/json", member: `"data":${text}` };
  }
  // A non-JSON payload declared as JSON must not keep that type: `abc` would arrive as if `"abc"` had been sent.
  return { contentType: mayBeJson ? "text/plain" : declared, member: `"data":${JSON.stringify(text)}` };
}

/** Returns the device's content type if valid. MQTT allows any text; a header and `datacontenttype` do not. */
function declaredType({ contentType }: Message): string | undefined {
  return contentType !== undefined && isMediaType(contentType) ? contentType : undefined;
}

function typeOfContent({ payload, decodeError }: DecodedMessage): string {
  const text = decodeError === undefined ? utf8Text(payload) : undefined;
  if (text === undefined) return "application/octet-stream";
  return isJson(payload, text) ? "application/json" : "text/plain";
}

const [TAB, LINE_FEED, CARRIAGE_RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20];
const JSON_FIRST_BYTES = new Set(Buffer.from('{["-0123456789tfn'));

function isJson(payload: Buffer, text: string): boolean {
  // The first byte rules out most texts that are not JSON, without the cost of an exception.
  let i = 0;
  while ([TAB, LINE_FEED, CARRIAGE_RETURN, SPACE].includes(payload[i] ?? 0)) i++;
  if (!JSON_FIRST_BYTES.has(payload[i] ?? 0)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // also on a RangeError, when nesting is too deep for the parser
  }
}

/** Returns the `traceparent`. An invalid one is dropped, as W3C Trace Context section 3.2.2 requires. */
function traceparentOf({ userProperties }: Message): string | undefined {
  const property = userProperties?.traceparent;
  const value = Array.isArray(property) ? property[0] : property;
  const valid = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
  return value !== undefined && valid.test(value) ? value : undefined;
}

/** Returns the headers in lower case, so that none can occur twice in different spellings. */
function ownHeaders(webhookHeaders: Record<string, string> = {}): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(webhookHeaders)) {
    if (headerError(name, value) === undefined) headers[name.toLowerCase()] = value;
  }
  return headers;
}
