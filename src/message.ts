/** The MQTT application message used by both flows, and its form in the store. */
import { isUtf8 } from "node:buffer";
import { createHash, randomFillSync } from "node:crypto";
import { stringify, v7 as uuidv7 } from "uuid";

export type QoS = 0 | 1 | 2;

/** MQTT 5 user properties: a name may occur several times; its values keep their order. */
export type UserProperties = Record<string, string | string[]>;

/** One application message (MQTT 5 section 3.3). */
export interface Message {
  /** `msg_` + UUIDv7; used as the job id, the CloudEvents `id` and the `webhook-id`. */
  id: string;
  topic: string;
  payload: Buffer;
  qos: QoS;
  retain: boolean;
  /** Time of receipt by the bridge, milliseconds since the epoch. */
  receivedAt: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: Buffer;
  userProperties?: UserProperties;
}

/**
 * A message as JSON. Text is stored as text, so that messages in the store are readable; everything else is base64.
 * Text with U+0000 counts as binary, because not every store can hold it in text.
 */
export interface StoredMessage {
  topic: string;
  payload?: string;
  payloadBase64?: string;
  qos: QoS;
  retain: boolean;
  receivedAt: number;
  contentType?: string;
  responseTopic?: string;
  correlationData?: string;
  userProperties?: UserProperties;
}

export type IdPrefix = "msg" | "wh" | "req" | "key" | "rpl" | "batch" | "hk";

/** Random bytes are fetched for 256 ids at a time: one fetch per id would cost more than the rest of a message. */
const RANDOM_BYTES = 16;
const pool = Buffer.alloc(256 * RANDOM_BYTES);
const state = { at: pool.length, msecs: 0, seq: 0 };

/** Creates an id: prefix, underscore, UUIDv7. Ids of one process sort in order of creation. */
export function newId(prefix: IdPrefix): string {
  if (state.at === pool.length) {
    randomFillSync(pool);
    state.at = 0;
  }
  const random = pool.subarray(state.at, state.at + RANDOM_BYTES);
  state.at += RANDOM_BYTES;
  const now = Date.now();
  if (now > state.msecs) {
    state.msecs = now;
    state.seq = random.readUInt32BE(0) >>> 1; // room to count up within the millisecond (RFC 9562 section 6.2)
  } else state.seq++;
  return `${prefix}_${uuidv7({ random, msecs: state.msecs, seq: state.seq })}`;
}

/** The payload as text, or undefined if it is not valid UTF-8. Encoding the text again yields the same bytes. */
export function utf8Text(payload: Buffer): string | undefined {
  return isUtf8(payload) ? payload.toString("utf8") : undefined;
}

/** The message without its id, which is the job's id. Absent properties stay absent. */
export function toStored(message: Message): StoredMessage {
  const { topic, payload, qos, retain, receivedAt, contentType, responseTopic, correlationData, userProperties } =
    message;
  const text = utf8Text(payload);
  const body =
    text === undefined || text.includes("\u0000") ? { payloadBase64: payload.toString("base64") } : { payload: text };
  return {
    // First, where the store's index of deliveries finds them without looking through the payload.
    receivedAt,
    topic: withoutNull(topic),
    ...body,
    qos,
    retain,
    ...(contentType !== undefined && { contentType: withoutNull(contentType) }),
    ...(responseTopic !== undefined && { responseTopic: withoutNull(responseTopic) }),
    ...(correlationData !== undefined && { correlationData: correlationData.toString("base64") }),
    ...(userProperties !== undefined && { userProperties: mapProperties(userProperties, withoutNull) }),
  };
}

/**
 * MQTT forbids U+0000 in its strings [MQTT-1.5.4-2], but brokers and parsers accept it. One such message that the store
 * cannot take would be retried for ever and hold up all later ones.
 */
function withoutNull(text: string): string {
  return text.includes("\u0000") ? text.replaceAll("\u0000", "\ufffd") : text;
}

function mapProperties(properties: UserProperties, map: (text: string) => string): UserProperties {
  const entries = Object.entries(properties);
  return Object.fromEntries(
    entries.map(([name, value]) => [map(name), Array.isArray(value) ? value.map(map) : map(value)]),
  );
}

/** The inverse of {@link toStored}. */
export function fromStored(id: string, stored: StoredMessage): Message {
  const { payload, payloadBase64, correlationData, ...rest } = stored;
  return {
    id,
    ...rest,
    payload: payloadBase64 === undefined ? Buffer.from(payload ?? "", "utf8") : Buffer.from(payloadBase64, "base64"),
    ...(correlationData !== undefined && { correlationData: Buffer.from(correlationData, "base64") }),
  };
}

/** Returns a UUIDv8 (RFC 9562 section 5.8) derived from a text. */
export function hashId(text: string): string {
  const bytes = createHash("sha256").update(text).digest().subarray(0, 16);
  bytes[6] = (bytes[6]! & 0x0f) | 0x80;
  bytes[8] = (bytes[8]! & 0x3f) | 0x80;
  return stringify(bytes);
}
