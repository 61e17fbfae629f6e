/** One call of a webhook: build the request → sign → POST. */
import { signingSecrets } from "../webhooks/rotation.ts";
import type { Webhook } from "../webhooks/webhook.ts";
import { type AuthorizedCall, trustOf } from "./authorize.ts";
import type { DeliveredMessage } from "./delivery.ts";
import { buildRequest } from "./event.ts";
import type { AttemptResult } from "./retry.ts";
import { parseSecret, signAll } from "./sign.ts";

export interface CallOptions {
  send(call: AuthorizedCall): Promise<AttemptResult>;
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

/** For one webhook, whose secrets are parsed once. */
export function makeCall({ send, eventSource }: CallOptions): CallWebhook {
  let cached: { texts: string; keys: Buffer[] } | undefined;

  function secretKeys(webhook: Webhook, now: number): Buffer[] {
    const secrets = signingSecrets(webhook, now);
    const texts = secrets.join();
    if (cached?.texts !== texts) cached = { texts, keys: secrets.map(parseSecret) };
    return cached.keys;
  }

  return (webhook, message, attempt, now) => {
    const { body, headers } = buildRequest(message, {
      mode: webhook.mode,
      source: eventSource,
      ...(message.type !== undefined && { type: message.type }),
      webhookHeaders: webhook.headers,
      attempt,
      now,
    });
    headers["webhook-signature"] = signAll(secretKeys(webhook, now), message.id, Math.floor(now / 1_000), body);
    // CloudEvents HTTP Webhook section 4.1.2: who was allowed to call says so in each call.
    if (webhook.verification) headers["webhook-request-origin"] = webhook.verification.origin;
    return send({ url: webhook.url, headers, body, timeoutMs: webhook.timeoutMs, ...trustOf(webhook) });
  };
}
