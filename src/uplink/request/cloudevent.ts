/** A message as a CloudEvent 1.0, and as the HTTP request that carries it. */
import type { Message } from "../../message.ts";
import { utf8Text } from "../../message.ts";
import { userAgent } from "../../version.ts";
import { headerError, isJsonType, isMediaType, percentEncode } from "./headers.ts";

/** Where an event comes from and what it is. */
export interface EventOrigin {
  /** CloudEvents `source`, a URI reference. */
  source: string;
  /** CloudEvents `type`; absent: `mqtt.message`. Any other is no MQTT message and has none of its extensions. */
  type?: string;
  /** CloudEvents `sequence`, of the extension of that name. */
  sequence?: string;
}

export interface CallHeaders {
  /** The registration's own headers. One that {@link headerError} refuses is left out. */
  webhookHeaders?: Record<string, string>;
  /** 1 at the first attempt. */
  attempt: number;
  /** Milliseconds since the epoch; becomes `webhook-timestamp`. */
  now: number;
}

export interface RequestOptions extends EventOrigin, CallHeaders {
  mode: "structured" | "binary";
}

/** All but the signature, which is made over `body`, `webhook-id` and `webhook-timestamp`. Header names are lower case. */
export interface WebhookRequest {
  body: Buffer;
  headers: Record<string, string>;
}

export function buildRequest(message: Message, options: RequestOptions): WebhookRequest {
  const headers = callHeaders(message.id, options);
  const traceparent = traceparentOf(message);
  if (traceparent !== undefined) headers.traceparent = traceparent;

  if (options.mode === "structured") {
    headers["content-type"] = "application/cloudevents+json";
    return { body: eventJson(message, options), headers };
  }
  headers["content-type"] = declaredType(message) ?? typeOfContent(message.payload);
  for (const [name, value] of attributes(message, options)) headers[`ce-${name}`] = percentEncode(String(value));
  return { body: message.payload, headers };
}

/** The event in the CloudEvents JSON format: one JSON object, as UTF-8. */
export function eventJson(message: Message, origin: EventOrigin): Buffer {
  const data = dataOf(message);
  let head = "";
  for (const [name, value] of attributes(message, origin)) head += `"${name}":${JSON.stringify(value)},`;
  return Buffer.from(`{${head}"datacontenttype":${JSON.stringify(data.contentType)},${data.member}}`, "utf8");
}

/** Several events in one request. @param events each as {@link eventJson} gives it */
export function buildBatchRequest(id: string, events: readonly Buffer[], options: CallHeaders): WebhookRequest {
  const headers = callHeaders(id, options);
  headers["content-type"] = "application/cloudevents-batch+json";
  return { body: batchJson(events), headers };
}

/** The JSON batch format. */
export function batchJson(events: readonly Buffer[]): Buffer {
  const parts = events.flatMap((event, i) => [i === 0 ? BRACKETS.open : BRACKETS.comma, event]);
  return Buffer.concat(parts.length === 0 ? [Buffer.from("[]")] : [...parts, BRACKETS.close]);
}

const BRACKETS = { open: Buffer.from("["), comma: Buffer.from(","), close: Buffer.from("]") };

/** Those that every call has. @param id becomes `webhook-id` */
function callHeaders(id: string, { webhookHeaders, attempt, now }: CallHeaders): Record<string, string> {
  const headers = ownHeaders(webhookHeaders);
  headers["user-agent"] = userAgent;
  headers["webhook-id"] = percentEncode(id);
  headers["webhook-timestamp"] = String(Math.floor(now / 1_000));
  headers["causeway-attempt"] = String(attempt);
  return headers;
}

type Attribute = readonly [name: string, value: string | number | boolean];

/** Every context attribute but `datacontenttype`, which the two modes carry in different places. */
function attributes(message: Message, { source, type, sequence }: EventOrigin): Attribute[] {
  const { id, topic, qos, retain, receivedAt, responseTopic, correlationData, userProperties } = message;
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
 * The payload as a member of the event (CloudEvents JSON format section 3.1.1).
 * JSON is spliced in as it came, unless the device declared another type: then the receiver's library reads `data` as
 * text, and `"abc"` would lose its quotation marks or `1.10` its zero.
 */
function dataOf(message: Message): Data {
  const { payload } = message;
  const declared = declaredType(message);
  const text = utf8Text(payload);
  if (text === undefined) {
    const member = `"data_base64":"${payload.toString("base64")}"`;
    return { contentType: declared ?? "application/octet-stream", member };
  }
  const mayBeJson = declared === undefined || isJsonType(declared);
  if (mayBeJson && isJson(payload, text)) {
    return { contentType: declared ?? "application/json", member: `"data":${text}` };
  }
  // What was declared as JSON and is not must not keep that type: `abc` would arrive as if `"abc"` had been sent.
  return { contentType: mayBeJson ? "text/plain" : declared, member: `"data":${JSON.stringify(text)}` };
}

/** The device's content type, when it is one. MQTT allows any text; a header and `datacontenttype` do not. */
function declaredType({ contentType }: Message): string | undefined {
  return contentType !== undefined && isMediaType(contentType) ? contentType : undefined;
}

function typeOfContent(payload: Buffer): string {
  const text = utf8Text(payload);
  if (text === undefined) return "application/octet-stream";
  return isJson(payload, text) ? "application/json" : "text/plain";
}

const [TAB, LINE_FEED, CARRIAGE_RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20];
const JSON_FIRST_BYTES = new Set(Buffer.from('{["-0123456789tfn'));

function isJson(payload: Buffer, text: string): boolean {
  // Most of what is no JSON shows it in its first byte, which spares the cost of an exception.
  let i = 0;
  while ([TAB, LINE_FEED, CARRIAGE_RETURN, SPACE].includes(payload[i] ?? 0)) i++;
  if (!JSON_FIRST_BYTES.has(payload[i] ?? 0)) return false;
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // also a RangeError, should nesting be too deep for the parser
  }
}

/** W3C Trace Context section 3.2.2. An invalid one is dropped, as that specification demands. */
function traceparentOf({ userProperties }: Message): string | undefined {
  const property = userProperties?.traceparent;
  const value = Array.isArray(property) ? property[0] : property;
  const valid = /^(?!ff)[0-9a-f]{2}-(?!0{32})[0-9a-f]{32}-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}$/;
  return value !== undefined && valid.test(value) ? value : undefined;
}

/** In lower case, so that no header can stand twice in different spellings. */
function ownHeaders(webhookHeaders: Record<string, string> = {}): Record<string, string> {
  const headers: Record<string, string> = {};
  for (const [name, value] of Object.entries(webhookHeaders)) {
    if (headerError(name, value) === undefined) headers[name.toLowerCase()] = value;
  }
  return headers;
}
