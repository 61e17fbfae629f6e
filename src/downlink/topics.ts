/** `/v1/topics/{topic}`: a topic as a resource; its body is the payload. */
import { Refused } from "../errors.ts";
import { newId, type QoS, type UserProperties } from "../message.ts";
import { topicNameError } from "../topic.ts";
import { checkPayloadSize, checkString, checkTopic } from "./messages.ts";
import { type OutgoingMessage, outcomeOf, type Publish, type PublishOutcome } from "./publish.ts";
import { etagOf, type ReadRetained } from "./retained.ts";

export interface TopicPublish {
  topic: string;
  body: Buffer;
  contentType?: string | undefined;
  qos: QoS;
  retain: boolean;
  expirySeconds?: number | undefined;
}

interface TopicPublishPorts {
  publish: Publish;
  maxPayloadBytes: number;
}

/** POST publishes the body, PUT publishes it retained, DELETE publishes the empty retained message that clears it. */
export async function publishToTopic(
  request: TopicPublish,
  { publish, maxPayloadBytes }: TopicPublishPorts,
): Promise<PublishOutcome | Refused> {
  const { topic, body, contentType, qos, retain, expirySeconds } = request;
  const refused =
    checkTopic(topic, "topic") ??
    checkPayloadSize(body, maxPayloadBytes, "body") ??
    (contentType === undefined ? undefined : checkString(contentType, "content-type"));
  if (refused) return refused;
  const message: OutgoingMessage = { id: newId("msg"), topic, payload: body, qos, retain };
  if (contentType !== undefined) message.contentType = contentType;
  if (expirySeconds !== undefined) message.expirySeconds = expirySeconds;
  return outcomeOf(message, await publish(message));
}

export interface RetainedReply {
  status: 200 | 304;
  body: Buffer | undefined;
  headers: Record<string, string | string[]>;
}

/**
 * Returns the retained message as an HTTP response.
 * @param ifNoneMatch the `If-None-Match` header
 */
export async function getRetained(
  topic: string,
  ifNoneMatch: string | undefined,
  read: ReadRetained,
): Promise<RetainedReply | Refused> {
  const refused = checkTopic(topic, "topic", topicNameError);
  if (refused) return refused;
  const message = await read(topic);
  if (!message) return new Refused("no_retained_message", `the topic ${topic} holds no retained message`);
  const { payload, contentType, qos, userProperties } = message;
  const etag = etagOf(message);
  if (ifNoneMatch !== undefined && matches(ifNoneMatch, etag))
    return { status: 304, body: undefined, headers: { etag } };
  const headers: RetainedReply["headers"] = {
    "content-type": safeHeader(contentType) ?? "application/octet-stream",
    etag,
    "mqtt-qos": String(qos),
    "mqtt-retain": "true",
  };
  if (userProperties) headers["mqtt-user-property"] = propertyLines(userProperties);
  return { status: 200, body: payload, headers };
}

/** RFC 9110 section 13.1.2: a list of tags, compared weakly, or `*`. */
function matches(ifNoneMatch: string, etag: string): boolean {
  const tags = ifNoneMatch.split(",").map((tag) => tag.trim().replace(/^W\//, ""));
  return tags.includes("*") || tags.includes(etag);
}

function safeHeader(value: string | undefined): string | undefined {
  return value !== undefined && /^[\x20-\x7e]+$/.test(value) ? value : undefined;
}

/** `name=value`, both percent-encoded: they may contain any text, header fields may not. */
function propertyLines(properties: UserProperties): string[] {
  return Object.entries(properties).flatMap(([name, value]) =>
    [value].flat().map((text) => `${encodeURIComponent(name)}=${encodeURIComponent(text)}`),
  );
}
