/** Entries of the forms that publish and ask, and the calls that they become. Pure. */
import type { MessageInput, RequestInput } from "causeway-mqtt/client";
import { isJson } from "../raw-json.ts";
import { matches, publishTopicError } from "../topic-filters.ts";

export const FORMATS = ["text", "json", "hex"] as const;
export type Format = (typeof FORMATS)[number];
export type Qos = 0 | 1 | 2;

/** Fields that publishing and asking share. Empty texts are absent values. */
export interface MessageFields {
  topic: string;
  format: Format;
  payload: string;
  qos: Qos;
  contentType: string;
  responseTopic: string;
  correlationData: string;
  /** One property a line, such as `release=2.4.1`. */
  userProperties: string;
  expirySeconds: string;
}

export interface PublishFields extends MessageFields {
  retain: boolean;
  when: "now" | "stored" | "scheduled";
  /** Local time, as an input of type `datetime-local` has it. */
  sendAt: string;
}

export interface AskFields extends MessageFields {
  when: "now" | "stored";
  match: "" | "topic" | "correlation" | "first";
  timeoutSeconds: string;
}

const MESSAGE: MessageFields = {
  topic: "",
  format: "json",
  payload: "",
  qos: 1,
  contentType: "",
  responseTopic: "",
  correlationData: "",
  userProperties: "",
  expirySeconds: "",
};

export const NEW_PUBLISH: PublishFields = { ...MESSAGE, retain: false, when: "now", sendAt: "" };
export const NEW_ASK: AskFields = { ...MESSAGE, when: "now", match: "", timeoutSeconds: "10" };

export type Errors = Partial<Record<keyof PublishFields | keyof AskFields, string>>;

/** @param filters the topics to which the key may publish */
export function topicProblem(topic: string, filters: readonly string[]): string | undefined {
  const wrong = publishTopicError(topic);
  if (wrong) return wrong;
  // The id of a request stands for one that is not known yet.
  return filters.some((filter) => matches(filter, topic)) ? undefined : `this key may publish to ${filters.join(", ")}`;
}

export function errorsOf(fields: MessageFields, filters: readonly string[]): Errors {
  const errors: Errors = {};
  const topic = topicProblem(fields.topic, filters);
  if (topic) errors.topic = topic;
  const payload = payloadProblem(fields);
  if (payload) errors.payload = payload;
  const responseTopic = fields.responseTopic === "" ? undefined : publishTopicError(fields.responseTopic);
  if (responseTopic) errors.responseTopic = responseTopic;
  const properties = parseProperties(fields.userProperties);
  if (typeof properties === "string") errors.userProperties = properties;
  if (fields.correlationData !== "" && !/^[A-Za-z0-9+/]+={0,2}$/.test(fields.correlationData)) {
    errors.correlationData = "must be base64";
  }
  if (fields.expirySeconds !== "" && !/^\d{1,10}$/.test(fields.expirySeconds)) {
    errors.expirySeconds = "must be a whole number of seconds";
  }
  return errors;
}

export function payloadProblem({ format, payload }: Pick<MessageFields, "format" | "payload">): string | undefined {
  if (payload === "") return undefined;
  if (format === "json") return isJson(payload) ? undefined : "is not JSON: send it as text, or mend it";
  if (format === "hex") return parseHex(payload) ? undefined : "must be pairs of hexadecimal digits, such as 00 ff";
  return undefined;
}

/** @param now milliseconds since the epoch */
export function sendAtProblem({ when, sendAt }: PublishFields, now: number): string | undefined {
  if (when !== "scheduled") return undefined;
  const at = Date.parse(sendAt);
  if (Number.isNaN(at)) return "must be a date and a time";
  return at > now + 30 * 86_400_000 ? "must be at most 30 days ahead" : undefined;
}

export function timeoutProblem({ when, timeoutSeconds }: AskFields): string | undefined {
  const seconds = Number(timeoutSeconds || Number.NaN);
  return when === "stored" || (seconds >= 0.1 && seconds <= 60) ? undefined : "must be 0.1 to 60 seconds";
}

export function toMessage(fields: PublishFields): MessageInput {
  const { retain, when, sendAt, expirySeconds } = fields;
  return {
    ...toCommon(fields),
    retain,
    ...(expirySeconds !== "" && { expirySeconds: Number(expirySeconds) }),
    ...(when === "scheduled" && { sendAt: new Date(sendAt).toISOString() }),
  };
}

export function toRequest(fields: AskFields): RequestInput {
  const { when, match, timeoutSeconds, expirySeconds } = fields;
  return {
    ...toCommon(fields),
    ...(match !== "" && { match }),
    ...(when === "now" && { timeoutSeconds: Number(timeoutSeconds) }),
    ...(when === "stored" && expirySeconds !== "" && { expirySeconds: Number(expirySeconds) }),
  };
}

function toCommon({ topic, qos, format, payload, contentType, responseTopic, ...fields }: MessageFields) {
  const { correlationData, userProperties } = fields;
  const properties = parseProperties(userProperties);
  return {
    topic,
    qos,
    ...toPayload({ format, payload }),
    ...(contentType !== "" && { contentType }),
    ...(responseTopic !== "" && { responseTopic }),
    ...(correlationData !== "" && { correlationData }),
    ...(typeof properties === "object" && { userProperties: properties }),
  };
}

/** The payload of a call: a string is sent as it stands, and a JSON value would be printed anew by the browser. */
export function toPayload({ format, payload }: Pick<MessageFields, "format" | "payload">) {
  if (payload === "") return {};
  return format === "hex" ? { payloadBase64: toBase64(parseHex(payload)!) } : { payload };
}

/** Returns the properties, undefined without any, or why they are refused. */
export function parseProperties(text: string): Record<string, string[]> | string | undefined {
  const lines = text.split("\n").filter((line) => line.trim() !== "");
  if (lines.length === 0) return undefined;
  const properties: Record<string, string[]> = {};
  for (const line of lines) {
    const at = line.indexOf("=");
    if (at < 1) return "must be name=value, one a line";
    const name = line.slice(0, at).trim();
    properties[name] = [...(Object.hasOwn(properties, name) ? properties[name]! : []), line.slice(at + 1).trim()];
  }
  return properties;
}

/** Returns the bytes of hexadecimal digits, with or without spaces. */
export function parseHex(text: string): Uint8Array | undefined {
  const digits = text.replace(/\s/g, "");
  if (digits.length % 2 !== 0 || !/^[0-9a-f]*$/i.test(digits)) return undefined;
  return Uint8Array.from({ length: digits.length / 2 }, (_, i) => Number.parseInt(digits.slice(i * 2, i * 2 + 2), 16));
}

export function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}

function toBase64(bytes: Uint8Array): string {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return btoa(text);
}
