/** Previews the request of a webhook for a message: all stages of a delivery but the call. */
import type { Refused } from "../../errors.ts";
import { newId, utf8Text } from "../../message.ts";
import { MASK, maskHeaders } from "../../webhooks/header-masking.ts";
import { resolveUrl } from "../../webhooks/url-template.ts";
import type { Webhook, WebhookMethod } from "../../webhooks/webhook.ts";
import type { Prepare } from "../expressions/apply.ts";
import { FROM_API, refuseEvaluation } from "../expressions/sandbox.ts";
import type { DeliveredMessage } from "../queue/job.ts";
import { eventJson } from "../request/cloudevent.ts";
import { createRequests } from "./call.ts";

export interface PreviewResult {
  outcome: "sent" | "filtered" | "failed";
  /** Error of the expression or of the URL template. */
  error?: string;
  request?: { method: WebhookMethod; url: string; headers: Record<string, string>; body?: string; bodyBase64?: string };
}

/**
 * @param webhook the webhook as it would be registered
 * @param callerId API caller whose share of the sandbox the preview uses
 */
export type Preview = (
  webhook: Webhook,
  message: DeliveredMessage,
  callerId: string,
) => Promise<PreviewResult | Refused>;

export function createPreview({ prepare, eventSource }: { prepare: Prepare; eventSource: string }): Preview {
  return async (webhook, sample, callerId) => {
    const prepared = await prepare(webhook, sample, FROM_API + callerId);
    if (prepared.kind === "filtered") return { outcome: "filtered" };
    if (prepared.kind === "failed") {
      const { error, detail = "", notEvaluated } = prepared.result;
      if (notEvaluated) return refuseEvaluation(detail);
      return { outcome: "failed", error: `${error}: ${detail}` };
    }
    const { message } = prepared;
    const url = resolveUrl(webhook.url, message.topic);
    if (typeof url !== "string") return { outcome: "failed", error: `url_error: ${url.error}` };
    const requests = createRequests(eventSource);
    const now = Date.now();
    const { headers, body } = webhook.batch
      ? requests.batch(webhook, newId("batch"), [eventJson(message, { source: eventSource })], 1, now)
      : requests.single(webhook, message, 1, now);
    const text = utf8Text(body);
    return {
      outcome: "sent",
      request: {
        method: webhook.method ?? "POST",
        url,
        headers: masked(headers, webhook),
        ...(text === undefined ? { bodyBase64: body.toString("base64") } : { body: text }),
      },
    };
  };
}

/** Masks credentials. The signature stays visible: it reveals nothing beyond this request. */
function masked(headers: Record<string, string>, { auth }: Webhook): Record<string, string> {
  const signature = headers["webhook-signature"]!;
  // An OAuth 2 token is requested only for a real call.
  const authorization: Record<string, string> = auth && auth.type !== "mtls" ? { authorization: MASK } : {};
  return { ...maskHeaders(headers), ...authorization, "webhook-signature": signature };
}
