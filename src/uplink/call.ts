/** One call of a webhook: build the request → sign → POST. */
import type { Webhook } from "../webhooks/webhook.ts";
import type { DeliveredMessage } from "./delivery.ts";
import { buildBatchRequest, buildRequest, type WebhookRequest } from "./event.ts";
import type { AttemptResult } from "./retry.ts";
import type { Sender } from "./send.ts";
import { parseSecret, sign } from "./sign.ts";

export interface CallOptions {
  send: Sender["send"];
  /** CloudEvents `source`. */
  eventSource: string;
}

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
export function makeCall({ send, eventSource }: CallOptions): CallWebhook {
  const requests = makeRequests(eventSource);
  return (webhook, message, attempt, now) =>
    send({
      url: webhook.url,
      timeoutMs: webhook.timeoutMs,
      ...requests.single(webhook, message, attempt, now),
    });
}

/** The requests as they are sent, with their signatures. The parameters are those of {@link CallWebhook}. */
export interface Requests {
  single(webhook: Webhook, message: DeliveredMessage, attempt: number, now: number): WebhookRequest;
  /** @param id of the call; the events have their own */
  batch(webhook: Webhook, id: string, events: readonly Buffer[], attempt: number, now: number): WebhookRequest;
}

/** For one webhook. */
export function makeRequests(eventSource: string): Requests {
  let cachedSecret: { text: string; key: Buffer } | undefined;

  function secretKey(text: string): Buffer {
    if (cachedSecret?.text !== text) cachedSecret = { text, key: parseSecret(text) };
    return cachedSecret.key;
  }

  function signed({ secret }: Webhook, id: string, now: number, request: WebhookRequest): WebhookRequest {
    request.headers["webhook-signature"] = sign(secretKey(secret), id, Math.floor(now / 1_000), request.body);
    return request;
  }

  return {
    single(webhook, message, attempt, now) {
      const request = buildRequest(message, {
        mode: webhook.mode,
        source: eventSource,
        ...(message.type !== undefined && { type: message.type }),
        webhookHeaders: webhook.headers,
        attempt,
        now,
      });
      return signed(webhook, message.id, now, request);
    },
    batch(webhook, id, events, attempt, now) {
      const request = buildBatchRequest(id, events, { webhookHeaders: webhook.headers, attempt, now });
      return signed(webhook, id, now, request);
    },
  };
}
