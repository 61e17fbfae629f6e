/** One call of a webhook: build the request → sign → POST. */
import type { Webhook } from "../webhooks/webhook.ts";
import type { DeliveredMessage } from "./delivery.ts";
import { buildRequest } from "./event.ts";
import { sequenceText } from "./order.ts";
import type { AttemptResult } from "./retry.ts";
import type { Sender } from "./send.ts";
import { parseSecret, sign } from "./sign.ts";

export interface CallOptions {
  send: Sender["send"];
  /** CloudEvents `source`. */
  eventSource: string;
  /** How much of an answer is taken as a reply, in bytes. */
  maxPayloadBytes: number;
}

/** How much of an answer is kept for people where all of it was read, in characters. */
const SHOWN_LENGTH = 1_024;

/**
 * Never throws: what goes wrong is a result.
 * @param attempt 1 for the first call
 * @param now milliseconds since the epoch, the time of the signature
 */
export type CallWebhook = (
  webhook: Webhook,
  message: DeliveredMessage,
  attempt: number,
  now: number,
) => Promise<AttemptResult>;

/** For one webhook, whose secret is parsed once. */
export function makeCall({ send, eventSource, maxPayloadBytes }: CallOptions): CallWebhook {
  let cachedSecret: { text: string; key: Buffer } | undefined;

  function secretKey(text: string): Buffer {
    if (cachedSecret?.text !== text) cachedSecret = { text, key: parseSecret(text) };
    return cachedSecret.key;
  }

  return async (webhook, message, attempt, now) => {
    const { body, headers } = buildRequest(message, {
      mode: webhook.mode,
      source: eventSource,
      ...(message.type !== undefined && { type: message.type }),
      ...(message.place && { sequence: sequenceText(message.place.sequence) }),
      webhookHeaders: webhook.headers,
      attempt,
      now,
    });
    headers["webhook-signature"] = sign(secretKey(webhook.secret), message.id, Math.floor(now / 1_000), body);
    const { url, timeoutMs } = webhook;
    if (webhook.replyTopic === undefined) return send({ url, headers, body, timeoutMs });
    const result = await send({ url, headers, body, timeoutMs, maxResponseBytes: maxPayloadBytes, keepBody: true });
    if (result.responseBody !== undefined) result.responseBody = result.responseBody.slice(0, SHOWN_LENGTH);
    return result;
  };
}
