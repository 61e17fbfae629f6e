/** `/v1/topics/{topic}`: a topic as a resource; its body is the payload. */
import { createHash } from "node:crypto";
import { Problem } from "../errors.ts";
import { newId, type QoS } from "../message.ts";
import { checkPayloadSize, checkString, checkTopic } from "./messages.ts";
import { answerTo, type OutgoingMessage, type Publish, type PublishAnswer } from "./publish.ts";
import type { ReadRetained } from "./retained.ts";

export interface TopicPublish {
  topic: string;
  body: Buffer;
  contentType?: string | undefined;
  qos: QoS;
  retain: boolean;
  expirySeconds?: number | undefined;
}

interface Ports {
  publish: Publish;
  maxPayloadBytes: number;
}

/** POST publishes the body, PUT publishes it retained, DELETE publishes the empty retained message that clears it. */
export async function publishToTopic(
  request: TopicPublish,
  { publish, maxPayloadBytes }: Ports,
): Promise<PublishAnswer> {
  const { topic, body, contentType, qos, retain, expirySeconds } = request;
  checkTopic(topic, "topic");
  checkPayloadSize(body, maxPayloadBytes, "body");
  const message: OutgoingMessage = { id: newId("msg"), topic, payload: body, qos, retain };
  if (contentType !== undefined) message.contentType = checkString(contentType, "content-type");
  if (expirySeconds !== undefined) message.expirySeconds = expirySeconds;
  return answerTo(message, await publish(message));
}

export interface RetainedReply {
  body: Buffer;
  headers: Record<string, string>;
}

/** The retained message as an HTTP answer. @throws Problem no_retained_message */
export async function getRetained(topic: string, read: ReadRetained): Promise<RetainedReply> {
  checkTopic(topic, "topic");
  const message = await read(topic);
  if (!message) throw new Problem("no_retained_message", `the topic ${topic} holds no retained message`);
  const { payload, contentType, qos, userProperties } = message;
  const headers: Record<string, string> = {
    "content-type": safeHeader(contentType) ?? "application/octet-stream",
    etag: `"${createHash("sha256")
      .update(payload)
      .update(contentType ?? "")
      .digest("base64url")
      .slice(0, 22)}"`,
    "mqtt-qos": String(qos),
    "mqtt-retain": "true",
  };
  // One header holds them all as JSON: names and values may be any text, which header fields may not.
  if (userProperties) headers["mqtt-user-property"] = asciiJson(userProperties);
  return { body: payload, headers };
}

function safeHeader(value: string | undefined): string | undefined {
  return value !== undefined && /^[\x20-\x7e]+$/.test(value) ? value : undefined;
}

function asciiJson(value: unknown): string {
  return JSON.stringify(value).replace(/[^\x20-\x7e]/g, (c) => `\\u${c.charCodeAt(0).toString(16).padStart(4, "0")}`);
}
