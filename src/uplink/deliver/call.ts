/** One call of a webhook: resolve the URL → build the request → sign → send. */
import { signingSecrets } from "../../webhooks/rotation.ts";
import { resolveUrl } from "../../webhooks/url-template.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult, SentRequest } from "../attempt.ts";
import { type AuthorizedCall, trustOf } from "../egress/authorization.ts";
import { sequenceText } from "../ordering/message-groups.ts";
import type { DeliveredMessage } from "../queue/job.ts";
import { buildBatchRequest, buildRequest, type WebhookRequest } from "../request/cloudevent.ts";
import { parseSecret, signAll } from "../request/signature.ts";

export interface CallOptions {
  send(call: AuthorizedCall): Promise<AttemptResult>;
  /** CloudEvents `source`. */
  eventSource: string;
  /** Largest response body taken as a reply, in bytes. */
  maxPayloadBytes: number;
}

/** Characters of a completely read response that are kept for the attempt log. */
const SHOWN_LENGTH = 1_024;

/**
 * Calls a webhook. Never throws: a failure is a result.
 * @param attempt 1 for the first call
 * @param now milliseconds since the epoch, the time of the signature
 */
export type CallWebhook = (
  webhook: Webhook,
  message: DeliveredMessage,
  attempt: number,
  now: number,
) => Promise<AttemptResult>;

/** Creates the call of one webhook, whose secrets are parsed once. */
export function createCall({ send, eventSource, maxPayloadBytes }: CallOptions): CallWebhook {
  const requests = createRequests(eventSource);
  return async (webhook, message, attempt, now) => {
    const { method = "POST", timeoutMs, replyTopic } = webhook;
    const url = resolveUrl(webhook.url, message.topic);
    if (typeof url !== "string") return { error: "url_error", detail: url.error, durationMs: 0 };
    const request = requests.single(webhook, message, attempt, now);
    const call = { method, url, timeoutMs, ...trustOf(webhook), ...request };
    if (replyTopic === undefined) return withRequest(await send(call), call);
    const result = await send({ ...call, maxResponseBytes: maxPayloadBytes, keepBody: true });
    if (result.responseBody !== undefined) result.responseBody = result.responseBody.slice(0, SHOWN_LENGTH);
    return withRequest(result, call);
  };
}

/** Adds the call to its result, unless it was not made for lack of a token. */
export function withRequest(result: AttemptResult, { method, url, headers }: SentRequest): AttemptResult {
  if (result.error !== "auth_error") result.request = { method, url, headers };
  return result;
}

/** Builds signed requests. The parameters are those of {@link CallWebhook}. */
export interface Requests {
  single(webhook: Webhook, message: DeliveredMessage, attempt: number, now: number): WebhookRequest;
  /** @param id id of the call; each event has its own */
  batch(webhook: Webhook, id: string, events: readonly Buffer[], attempt: number, now: number): WebhookRequest;
}

/** Creates the requests of one webhook. */
export function createRequests(eventSource: string): Requests {
  let cached: { texts: string; keys: Buffer[] } | undefined;

  function secretKeys(webhook: Webhook, now: number): Buffer[] {
    const secrets = signingSecrets(webhook, now);
    const texts = secrets.join();
    if (cached?.texts !== texts) cached = { texts, keys: secrets.map(parseSecret) };
    return cached.keys;
  }

  function signed(webhook: Webhook, id: string, now: number, request: WebhookRequest): WebhookRequest {
    const { body, headers } = request;
    headers["webhook-signature"] = signAll(secretKeys(webhook, now), id, Math.floor(now / 1_000), body);
    // CloudEvents HTTP Webhook section 4.1.2: each call names the origin that the receiver allowed.
    if (webhook.verification) headers["webhook-request-origin"] = webhook.verification.origin;
    return request;
  }

  return {
    single(webhook, message, attempt, now) {
      const request = buildRequest(message, {
        mode: webhook.mode,
        source: eventSource,
        ...(message.type !== undefined && { type: message.type }),
        ...(message.place && { sequence: sequenceText(message.place.sequence) }),
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
