/** `replyTopic`: publishes the response of the webhook. */
import { hashId, type Message } from "../../message.ts";
import { matches, mqttStringError, publishTopicError } from "../../topic.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";
import type { Attempt, Outcome, Sending } from "./attempt.ts";

/** A reply to publish. */
export interface Reply {
  id: string;
  topic: string;
  payload: Buffer;
  contentType?: string;
  correlationData?: Buffer;
}

/** Reason why a response is not published. None is an error: the delivery has succeeded. */
export type NoReply = "incomplete" | "no_response_topic" | "invalid_topic" | "other_topic" | "own_topic";

export interface ReplyPorts {
  /** Makes the reply durable; it is published once the broker is reachable. Repeating an id is harmless. */
  outbox: { accept(reply: Reply & { qos: 1; retain: false }): Promise<unknown> };
  observe: {
    notReplied(webhookId: string, messageId: string, why: NoReply): void;
    /** Called when a reply could not be stored: the delivery is retried. */
    replyFailed(error: Error): void;
  };
}

/** Delay of a delivery whose reply could not be stored. */
const REPLY_AGAIN_MS = 5_000;

/** Stores the reply before the delivery ends, or a crash would lose it. */
export function withReply(ports: ReplyPorts, attempt: Attempt): Attempt {
  async function replying(sending: Sending): Promise<Outcome> {
    const outcome = await attempt(sending);
    if (outcome.kind !== "attempted" || outcome.decision.kind !== "delivered") return outcome;
    const { webhook, message } = sending;
    const stored = await storeReply(ports, webhook, message, outcome.result);
    return stored ? outcome : { kind: "postponed", delayMs: REPLY_AGAIN_MS };
  }

  return (sending) => (sending.webhook.replyTopic === undefined ? attempt(sending) : replying(sending));
}

/** @returns false when the reply could not be stored, and the whole delivery must be repeated */
async function storeReply(
  { outbox, observe }: ReplyPorts,
  webhook: Webhook,
  message: Message,
  result: AttemptResult,
): Promise<boolean> {
  const found = replyOf(webhook, message, result);
  if (found === undefined) return true;
  if (typeof found === "string") {
    observe.notReplied(webhook.id, message.id, found);
    return true;
  }
  try {
    await outbox.accept({ ...found, qos: 1, retain: false });
    return true;
  } catch (error) {
    observe.replyFailed(error as Error);
    return false;
  }
}

/** Returns the reply, the reason why there is none, or undefined if none is wanted or the response is empty. Pure. */
export function replyOf(
  { id, replyTopic, topics }: Pick<Webhook, "id" | "replyTopic" | "topics">,
  message: Message,
  { statusCode = 0, body, bodyType, responseTruncated }: AttemptResult,
): Reply | NoReply | undefined {
  if (replyTopic === undefined || statusCode < 200 || statusCode >= 300) return undefined;
  if (responseTruncated) return "incomplete"; // longer than the largest payload, or broken off
  if (!body || body.length === 0) return undefined;
  const { responseTopic, correlationData } = message;
  const asked = replyTopic === "{responseTopic}";
  if (asked && responseTopic === undefined) return "no_response_topic";
  // The permission to publish was checked for the webhook's topics. The bridge's own events have other topics, and so
  // may deliveries that were queued before the topics changed.
  if (replyTopic.includes("{topic}") && !topics.some((filter) => matches(filter, message.topic))) return "other_topic";
  const topic = asked ? responseTopic! : replyTopic.replaceAll("{topic}", () => message.topic);
  if (publishTopicError(topic) !== undefined) return "invalid_topic";
  // The webhook would receive its own reply, in an endless loop.
  if (topics.some((filter) => matches(filter, topic))) return "own_topic";
  return {
    id: replyId(id, message.id),
    topic,
    payload: body,
    // HTTP allows a tab, at which MQTT brokers close the connection: the reply matters more than its content type.
    ...(bodyType !== undefined && mqttStringError(bodyType) === undefined && { contentType: bodyType }),
    ...(asked && correlationData !== undefined && { correlationData }),
  };
}

/** The same for every attempt: a crash between storing a reply and ending its delivery does not publish it twice. */
export function replyId(webhookId: string, messageId: string): string {
  return `msg_${hashId(`reply ${webhookId} ${messageId}`)}`;
}
