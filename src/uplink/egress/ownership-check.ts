/** Asks a receiver whether it wants to be called: the handshake of CloudEvents HTTP Webhook section 4. */

import { userAgent } from "../../version.ts";
import { type Consent, consentOf, requestRate } from "../../webhooks/verification.ts";
import type { Webhook } from "../../webhooks/webhook.ts";
import type { AttemptResult } from "../attempt.ts";
import { trustOf } from "./authorization.ts";
import type { TlsCall } from "./client-pool.ts";

export interface OwnershipOptions {
  send(call: TlsCall): Promise<AttemptResult>;
  /** Base URL under which receivers reach the API; absent: they can agree in their answer alone. */
  publicUrl?: string;
  onAsked(webhook: Webhook, result: AttemptResult, agreed: boolean): void;
}

/** Somebody waits for the answer to his own request meanwhile. */
const TIMEOUT_MS = 10_000;
const ALLOWED_ORIGIN = "webhook-allowed-origin";
const ALLOWED_RATE = "webhook-allowed-rate";

/** Who we are to a receiver, as a DNS name: that of the API, that of the events' source, or a word. */
export function originName(publicUrl: string | undefined, eventSource: string): string {
  const url = [publicUrl, eventSource].find(
    (text) => text !== undefined && URL.canParse(text) && new URL(text).hostname,
  );
  return url === undefined ? "causeway" : new URL(url).hostname;
}

/**
 * The question goes out without credentials: whether they may go there is what is asked. A client certificate is shown
 * all the same, since a receiver that wants one ends the connection without it, and its key stays here.
 * @returns undefined when the receiver did not agree in its answer. Never rejects.
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
