/** Asks a receiver for consent to be called: the handshake of CloudEvents HTTP Webhook section 4. */

import { userAgent } from "../../version.ts";
import { type Consent, consentOf, requestRate } from "../../webhooks/verification.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";
import { trustOf } from "./authorization.ts";
import type { TlsCall } from "./client-pool.ts";

export interface OwnershipOptions {
  send(call: TlsCall): Promise<AttemptResult>;
  /** Base URL at which receivers reach the API; absent: they can agree only in their response. */
  publicUrl?: string;
  onAsked(webhook: Webhook, result: AttemptResult, agreed: boolean): void;
}

/** Short, because an API caller waits for the result. */
const TIMEOUT_MS = 10_000;
const ALLOWED_ORIGIN = "webhook-allowed-origin";
const ALLOWED_RATE = "webhook-allowed-rate";

/** Returns the DNS name that identifies the bridge: the host of the API, else of the event source, else `causeway`. */
export function originName(publicUrl: string | undefined, eventSource: string): string {
  const url = [publicUrl, eventSource].find(
    (text) => text !== undefined && URL.canParse(text) && new URL(text).hostname,
  );
  return url === undefined ? "causeway" : new URL(url).hostname;
}

/**
 * Creates the consent request. It carries no credentials, since the receiver has not agreed to get them yet. A client
 * certificate is presented all the same: a receiver that requires one closes the connection without it, and the
 * private key is not sent.
 * @returns undefined when the receiver did not agree in its response. Never rejects.
 */
export function createConsentRequest({ send, publicUrl, onAsked }: OwnershipOptions) {
  return async (webhook: Webhook): Promise<Consent | undefined> => {
    const { origin, token } = webhook.verification!;
    const rate = requestRate(webhook);
    const { tls } = trustOf(webhook);
    const result = await send({
      method: "OPTIONS",
      url: webhook.url,
      headers: {
        "user-agent": userAgent,
        "webhook-request-origin": origin,
        ...(rate !== undefined && { "webhook-request-rate": String(rate) }),
        ...(publicUrl !== undefined && {
          "webhook-request-callback": `${publicUrl}/v1/webhooks/${webhook.id}/verification?token=${token}`,
        }),
      },
      body: "",
      timeoutMs: Math.min(webhook.timeoutMs, TIMEOUT_MS),
      responseHeaders: [ALLOWED_ORIGIN, ALLOWED_RATE],
      ...(tls && { tls }),
    });
    const { statusCode, headers = {} } = result;
    const allowed = headers[ALLOWED_ORIGIN]?.trim().toLowerCase();
    const isAgreed =
      (statusCode === 200 || statusCode === 204) && (allowed === "*" || allowed === origin.toLowerCase());
    onAsked(webhook, result, isAgreed);
    return isAgreed ? consentOf(headers[ALLOWED_RATE]) : undefined;
  };
}
