/** `POST /v1/messages`: publish one message. */
import { fieldProblem, Problem } from "../errors.ts";
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

/**
 * Publishes a message at once.
 * @param rawJson the text of the body; a payload that is not a string is taken from it unchanged
 * @throws Problem
 */
export async function publishMessage(
  input: MessageInput,
  rawJson: string,
  { publish, maxPayloadBytes }: { publish: Publish; maxPayloadBytes: number },
): Promise<PublishOutcome> {
  const message = checkedMessage(input, rawJson, maxPayloadBytes);
  return outcomeOf(message, await publish(message));
}

/**
 * Stores the message, to be published once the broker is connected, or at `sendAt`.
 * @throws Problem
 */
export async function storeMessage(
  input: MessageInput,
  rawJson: string,
  { accept, maxPayloadBytes }: { accept: Accept; maxPayloadBytes: number },
): Promise<StoredPublish> {
  const message = checkedMessage(input, rawJson, maxPayloadBytes);
  if (input.sendAt === undefined) return accept(message);
  return accept(message, { sendAt: parseSendAt(input.sendAt, Date.now()) });
}

/**
 * Validates the input and builds the message.
 * @param topicError the rule for the topic; a preview, which does not publish, uses a milder one
 * @throws Problem
 */
export function checkedMessage(
  input: MessageInput,
  rawJson: string,
  maxPayloadBytes: number,
  topicError = publishTopicError,
): OutgoingMessage {
  const fault = sendFault(input, topicError);
  if (fault) throw fieldProblem(fault.code, fault.path, fault.message);
  const message = toMessage(input, rawJson);
  checkPayloadSize(message.payload, maxPayloadBytes, input.payloadBase64 === undefined ? "payload" : "payloadBase64");
  return message;
}

function toMessage(input: MessageInput, rawJson: string): OutgoingMessage {
  const {
    topic,
    qos = 1,
    retain = false,
    contentType,
    responseTopic,
    correlationData,
    expirySeconds,
    userProperties,
  } = input;
  const message: OutgoingMessage = { id: newId("msg"), topic, payload: payloadOf(input, rawJson), qos, retain };
  if (contentType !== undefined) message.contentType = contentType;
  if (responseTopic !== undefined) message.responseTopic = responseTopic;
  if (expirySeconds !== undefined) message.expirySeconds = expirySeconds;
  if (userProperties !== undefined) message.userProperties = userProperties;
  if (correlationData !== undefined) {
    message.correlationData = decodeBase64(correlationData, "correlationData");
    if (message.correlationData.length > MAX_MQTT_BYTES) {
      throw fieldProblem("invalid_request", "correlationData", `must not be longer than ${MAX_MQTT_BYTES} bytes`);
    }
  }
  return message;
}

function payloadOf({ payload, payloadBase64 }: MessageInput, rawJson: string): Buffer {
  if (payload !== undefined && payloadBase64 !== undefined) {
    throw fieldProblem("invalid_request", "payloadBase64", "cannot stand beside payload");
  }
  if (payloadBase64 !== undefined) return decodeBase64(payloadBase64, "payloadBase64");
  if (payload === undefined) return Buffer.alloc(0);
  if (typeof payload === "string") return Buffer.from(payload);
  return Buffer.from(rawMember(rawJson, "payload") ?? JSON.stringify(payload));
}

/** @throws Problem invalid_topic */
export function checkTopic(topic: string, path: string, topicError = publishTopicError): void {
  const wrong = topicError(topic);
  if (wrong) throw fieldProblem("invalid_topic", path, wrong);
}

/** @throws Problem payload_too_large */
export function checkPayloadSize(payload: Buffer, maxBytes: number, path: string): void {
  if (payload.length <= maxBytes) return;
  const message = `${payload.length} bytes are more than the limit of ${maxBytes}`;
  throw new Problem("payload_too_large", `${path}: ${message}`, { errors: [{ path, message }] });
}

/** @throws Problem invalid_request */
export function checkString(text: string, path: string): string {
  const wrong = mqttStringError(text);
  if (wrong) throw fieldProblem("invalid_request", path, wrong);
  return text;
}
