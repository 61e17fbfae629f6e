import { hashId, type Message } from "../../message.ts";
import { matches, mqttStringError, publishTopicError } from "../../topic.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";

/** What is published: with QoS 1, not retained. */
export interface Reply {
  id: string;
  topic: string;
  payload: Buffer;
  contentType?: string;
  correlationData?: Buffer;
}

/** Why an answer was not published. None is an error: the delivery has succeeded. */
export type NoReply = "incomplete" | "no_response_topic" | "invalid_topic" | "other_topic" | "own_topic";

export interface ReplyOptions {
  /** Makes the reply durable; it is published as soon as the broker is there. The same id again is harmless. */
  accept(reply: Reply): Promise<void>;
  observe: {
    notReplied(webhookId: string, messageId: string, why: NoReply): void;
    /** The reply could not be stored: the delivery is tried again. */
    replyFailed(error: Error): void;
  };
}

/**
 * @returns false when the answer could not be stored, so that the whole delivery must be tried again; to be called
 * before the delivery ends, or a crash would lose the reply
 */
export type SendReply = (webhook: Webhook, message: Message, result: AttemptResult) => Promise<boolean>;

export function createReply({ accept, observe }: ReplyOptions): SendReply {
  return async (webhook, message, result) => {
    const found = replyOf(webhook, message, result);
    if (found === undefined) return true;
    if (typeof found === "string") observe.notReplied(webhook.id, message.id, found);
    else {
      try {
        await accept(found);
      } catch (error) {
        observe.replyFailed(error as Error);
        return false;
      }
    }
    return true;
  };
}

/** The reply to a message, why there is none, or undefined where none is wanted or the answer is empty. Pure. */
export function replyOf(
  { id, replyTopic, topics }: Pick<Webhook, "id" | "replyTopic" | "topics">,
  message: Message,
  { statusCode = 0, body, bodyType, responseTruncated }: AttemptResult,
): Reply | NoReply | undefined {
  if (replyTopic === undefined || statusCode < 200 || statusCode >= 300) return undefined;
  if (responseTruncated) return "incomplete"; // longer than a payload may be, or broken off
  if (!body || body.length === 0) return undefined;
  const { responseTopic, correlationData } = message;
  const asked = replyTopic === "{responseTopic}";
  if (asked && responseTopic === undefined) return "no_response_topic";
  // The right to publish was checked for the webhook's own topics. The bridge's own events come from others, and so
  // may deliveries that were waiting when the topics changed.
  if (replyTopic.includes("{topic}") && !topics.some((filter) => matches(filter, message.topic))) return "other_topic";
  const topic = asked ? responseTopic! : replyTopic.replaceAll("{topic}", () => message.topic);
  if (publishTopicError(topic) !== undefined) return "invalid_topic";
  // It would come back, be answered, and so on for ever.
  if (topics.some((filter) => matches(filter, topic))) return "own_topic";
  return {
    id: replyId(id, message.id),
    topic,
    payload: body,
    // HTTP allows a tab where MQTT brokers end the connection: the device needs the reply more than its type.
    ...(bodyType !== undefined && mqttStringError(bodyType) === undefined && { contentType: bodyType }),
    ...(asked && correlationData !== undefined && { correlationData }),
  };
}

/** The same for every attempt, so that a crash between storing a reply and ending its delivery publishes it once. */
export function replyId(webhookId: string, messageId: string): string {
  return `msg_${hashId(`reply ${webhookId} ${messageId}`)}`;
}
