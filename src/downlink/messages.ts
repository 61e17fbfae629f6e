/** `POST /v1/messages`: publish one message. */
import { Refused, refuseField } from "../errors.ts";
import { CONTENT_TYPES, encodePayload, type PayloadFormat } from "../formats/formats.ts";
import { newId, type QoS, type UserProperties } from "../message.ts";
import { mqttStringError, publishTopicError } from "../topic.ts";
import { decodeBase64, rawMember } from "./payload.ts";
import { type OutgoingMessage, outcomeOf, type Publish, type PublishOutcome } from "./publish.ts";
import { parseSendAt } from "./send-at.ts";
import { sendFault } from "./sendable.ts";
import type { Accept, StoredPublish } from "./stored-publish.ts";

/** The body, validated against the contract, with the defaults filled in. */
export interface MessageInput {
  topic: string;
  payload?: unknown;
  payloadBase64?: string;
  payloadFormat?: PayloadFormat;
  qos?: QoS;
  retain?: boolean;
  contentType?: string;
  responseTopic?: string;
  correlationData?: string;
  expirySeconds?: number;
  userProperties?: UserProperties;
  sendAt?: string;
}

/** The longest binary data MQTT can carry (MQTT 5 section 1.5.6). */
const MAX_MQTT_BYTES = 65_535;
const NOT_BASE64 = "is not base64";

/**
 * Publishes a message at once.
 * @param rawJson the text of the body; a payload that is not a string is taken from it unchanged
 */
export async function publishMessage(
  input: MessageInput,
  rawJson: string,
  { publish, maxPayloadBytes }: { publish: Publish; maxPayloadBytes: number },
): Promise<PublishOutcome | Refused> {
  const message = checkedMessage(input, rawJson, maxPayloadBytes);
  if (message instanceof Refused) return message;
  return outcomeOf(message, await publish(message));
}

/** Stores the message, to be published once the broker is connected, or at `sendAt`. */
export async function storeMessage(
  input: MessageInput,
  rawJson: string,
  { accept, maxPayloadBytes }: { accept: Accept; maxPayloadBytes: number },
): Promise<StoredPublish | Refused> {
  const message = checkedMessage(input, rawJson, maxPayloadBytes);
  if (message instanceof Refused) return message;
  if (input.sendAt === undefined) return accept(message);
  const sendAt = parseSendAt(input.sendAt, Date.now());
  return sendAt instanceof Refused ? sendAt : accept(message, { sendAt });
}

/**
 * Validates the input and builds the message.
 * @param topicError the rule for the topic; a preview, which does not publish, uses a milder one
 */
export function checkedMessage(
  input: MessageInput,
  rawJson: string,
  maxPayloadBytes: number,
  topicError = publishTopicError,
): OutgoingMessage | Refused {
  const fault = sendFault(input, topicError);
  if (fault) return refuseField(fault.code, fault.path, fault.message);
  const message = toMessage(input, rawJson);
  if (message instanceof Refused) return message;
  const path = input.payloadBase64 === undefined ? "payload" : "payloadBase64";
  return checkPayloadSize(message.payload, maxPayloadBytes, path) ?? message;
}

function toMessage(input: MessageInput, rawJson: string): OutgoingMessage | Refused {
  const {
    topic,
    qos = 1,
    retain = false,
    payloadFormat = "auto",
    contentType = payloadFormat === "auto" ? undefined : CONTENT_TYPES[payloadFormat],
    responseTopic,
    correlationData,
    expirySeconds,
    userProperties,
  } = input;
  const payload = payloadOf(input, rawJson);
  if (payload instanceof Refused) return payload;
  const message: OutgoingMessage = { id: newId("msg"), topic, payload, qos, retain };
  if (contentType !== undefined) message.contentType = contentType;
  if (responseTopic !== undefined) message.responseTopic = responseTopic;
  if (expirySeconds !== undefined) message.expirySeconds = expirySeconds;
  if (userProperties !== undefined) message.userProperties = userProperties;
  if (correlationData !== undefined) {
    const bytes = decodeBase64(correlationData);
    if (!bytes) return refuseField("invalid_request", "correlationData", NOT_BASE64);
    if (bytes.length > MAX_MQTT_BYTES) {
      return refuseField("invalid_request", "correlationData", `must not be longer than ${MAX_MQTT_BYTES} bytes`);
    }
    message.correlationData = bytes;
  }
  return message;
}

function payloadOf(
  { payload, payloadBase64, payloadFormat = "auto" }: MessageInput,
  rawJson: string,
): Buffer | Refused {
  if (payload !== undefined && payloadBase64 !== undefined) {
    return refuseField("invalid_request", "payloadBase64", "must not be combined with payload");
  }
  if (payloadFormat !== "auto") {
    if (payloadBase64 !== undefined) {
      return refuseField("invalid_request", "payloadFormat", "must not be combined with payloadBase64");
    }
    const json = rawMember(rawJson, "payload");
    if (json === undefined) return refuseField("invalid_request", "payload", `is required with ${payloadFormat}`);
    const encoded = encodePayload(payloadFormat, json);
    if (encoded instanceof Uint8Array) return Buffer.from(encoded.buffer, encoded.byteOffset, encoded.byteLength);
    return refuseField("invalid_request", `payload${encoded.path}`, encoded.message);
  }
  if (payloadBase64 !== undefined) {
    return decodeBase64(payloadBase64) ?? refuseField("invalid_request", "payloadBase64", NOT_BASE64);
  }
  if (payload === undefined) return Buffer.alloc(0);
  if (typeof payload === "string") return Buffer.from(payload);
  return Buffer.from(rawMember(rawJson, "payload") ?? JSON.stringify(payload));
}

export function checkTopic(topic: string, path: string, topicError = publishTopicError): Refused | undefined {
  const wrong = topicError(topic);
  return wrong === undefined ? undefined : refuseField("invalid_topic", path, wrong);
}

export function checkPayloadSize(payload: Buffer, maxBytes: number, path: string): Refused | undefined {
  if (payload.length <= maxBytes) return undefined;
  return refuseField("payload_too_large", path, `${payload.length} bytes are more than the limit of ${maxBytes}`);
}

export function checkString(text: string, path: string): Refused | undefined {
  const wrong = mqttStringError(text);
  return wrong === undefined ? undefined : refuseField("invalid_request", path, wrong);
}
