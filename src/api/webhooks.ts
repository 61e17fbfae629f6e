/** Handlers for webhooks and their deliveries. */
import { checkedMessage } from "../downlink/messages.ts";
import { rawMember } from "../downlink/payload.ts";
import { Problem } from "../errors.ts";
import type { Handlers, OperationRequest } from "../http/contract/index.ts";
import { topicNameError } from "../topic.ts";
import type { Preview } from "../uplink/deliver/preview.ts";
import type { InvalidField } from "../uplink/queue/delivery-filter.ts";
import type { DeliveryPage, DeliveryQuery } from "../uplink/queue/delivery-queries.ts";
import type { WebhookService } from "../webhooks/service.ts";
import { consentOf } from "../webhooks/verification.ts";
import { requireFields } from "./delivery-problems.ts";

export interface WebhookPorts {
  webhooks: WebhookService<DeliveryPage | InvalidField, DeliveryQuery>;
  preview: Preview;
  maxPayloadBytes: number;
}

type WebhookOperation =
  | `${"create" | "get" | "update" | "delete" | "preview" | "pause" | "resume" | "test" | "confirm"}Webhook`
  | "listWebhooks"
  | "rotateSecret"
  | "confirmWebhookByPost"
  | "listDeliveries";

export function webhookHandlers({
  webhooks,
  preview,
  maxPayloadBytes,
}: WebhookPorts): Pick<Handlers, WebhookOperation> {
  const confirm = ({ params, query, headers }: OperationRequest<"confirmWebhook">) =>
    webhooks.confirm(params.id, query.token, consentOf(headers["webhook-allowed-rate"]?.toString()));
  return {
    createWebhook: async (request, reply) => {
      const webhook = await webhooks.create(request.body, request.caller);
      reply.header("location", `/v1/webhooks/${webhook.id}`);
      return webhook as typeof webhook & { secret: string };
    },
    listWebhooks: (request) => webhooks.list(request.query, request.caller),
    getWebhook: (request) => webhooks.get(request.params.id, request.caller),
    updateWebhook: (request) => webhooks.update(request.params.id, request.body, request.caller),
    deleteWebhook: async (request) => {
      await webhooks.remove(request.params.id, request.caller);
      return undefined;
    },
    listDeliveries: async ({ params, query, caller }) =>
      requireFields(await webhooks.listDeliveries(params.id, query, caller), "query."),
    previewWebhook: async ({ body, rawJson, caller }) => {
      const webhook = await below("webhook", () => webhooks.draft(body.webhook, caller));
      const { expirySeconds: _, ...message } = await below("message", async () =>
        checkedMessage(body.message, rawMember(rawJson, "message")!, maxPayloadBytes, topicNameError),
      );
      return preview(webhook, { ...message, receivedAt: Date.now() }, caller.id);
    },
    pauseWebhook: ({ params, caller }) => webhooks.update(params.id, { enabled: false }, caller),
    resumeWebhook: ({ params, caller }) => webhooks.update(params.id, { enabled: true }, caller),
    testWebhook: async ({ params: { id }, caller }, reply) => {
      const { messageId } = await webhooks.test(id, caller);
      reply.header("location", `/v1/webhooks/${id}/deliveries/${messageId}`);
      return { messageId };
    },
    rotateSecret: ({ params, body, caller }) => webhooks.rotateSecret(params.id, body ?? {}, caller),
    confirmWebhook: confirm,
    confirmWebhookByPost: confirm,
  };
}

/** Prefixes the field paths of a Problem with the outer field, e.g. `webhook.url`. */
async function below<T>(outer: string, run: () => Promise<T>): Promise<T> {
  try {
    return await run();
  } catch (error) {
    if (!(error instanceof Problem) || !error.errors) throw error;
    const errors = error.errors.map(({ path, message }) => ({ path: `${outer}.${path}`, message }));
    const detail = errors.map(({ path, message }) => `${path}: ${message}`).join("; ");
    throw new Problem(error.code, detail, { errors, cause: error });
  }
}
