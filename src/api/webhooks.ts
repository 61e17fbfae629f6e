/** Handlers for webhooks and their deliveries. */
import type { Handlers, OperationRequest } from "../http/contract/index.ts";
import { unwrap } from "../http/problem.ts";
import type { Preview } from "../uplink/deliver/preview.ts";
import type { InvalidField } from "../uplink/queue/delivery-filter.ts";
import type { DeliveryPage, DeliveryQuery } from "../uplink/queue/lists/delivery-lists.ts";
import type { WebhookService } from "../webhooks/service.ts";
import { consentOf } from "../webhooks/verification.ts";
import { listedPage } from "./delivery-content.ts";
import { requireFields } from "./delivery-problems.ts";
import { previewAll, unwrapIn } from "./preview.ts";

export interface WebhookPorts {
  webhooks: WebhookService<DeliveryPage | InvalidField, DeliveryQuery>;
  preview: Preview;
  maxPayloadBytes: number;
}

export function webhookHandlers({ webhooks, preview, maxPayloadBytes }: WebhookPorts) {
  const confirm = async ({ params, query, headers }: OperationRequest<"confirmWebhook">) =>
    unwrap(await webhooks.confirm(params.id, query.token, consentOf(headers["webhook-allowed-rate"]?.toString())));
  return {
    createWebhook: async (request, reply) => {
      const webhook = unwrap(await webhooks.create(request.body, request.caller));
      reply.header("location", `/v1/webhooks/${webhook.id}`);
      return webhook as typeof webhook & { secret: string };
    },
    putWebhook: async ({ params, body, caller }, reply) => {
      const { created, registered: webhook } = unwrap(await webhooks.put(params.externalId, body, caller));
      reply.code(created ? 201 : 200);
      if (created) reply.header("location", `/v1/webhooks/${webhook.id}`);
      return webhook;
    },
    listWebhooks: async (request) => unwrap(await webhooks.list(request.query, request.caller)),
    getWebhook: async (request) => unwrap(await webhooks.get(request.params.id, request.caller)),
    updateWebhook: async (request) => unwrap(await webhooks.update(request.params.id, request.body, request.caller)),
    deleteWebhook: async (request) => unwrap(await webhooks.remove(request.params.id, request.caller)),
    listDeliveries: async ({ params, query, caller }) =>
      listedPage(requireFields(unwrap(await webhooks.listDeliveries(params.id, query, caller)), "query."), caller),
    previewWebhook: async (request) => {
      const { body, caller } = request;
      const webhook = unwrapIn("webhook", await webhooks.draft(body.webhook, caller));
      return previewAll(request, (message) => preview(webhook, message, caller.id), maxPayloadBytes);
    },
    pauseWebhook: async ({ params, caller }) => unwrap(await webhooks.update(params.id, { enabled: false }, caller)),
    resumeWebhook: async ({ params, caller }) => unwrap(await webhooks.update(params.id, { enabled: true }, caller)),
    testWebhook: async ({ params: { id }, caller }, reply) => {
      const { messageId } = unwrap(await webhooks.test(id, caller));
      reply.header("location", `/v1/webhooks/${id}/deliveries/${messageId}`);
      return { messageId };
    },
    rotateSecret: async ({ params, body, caller }) =>
      unwrap(await webhooks.rotateSecret(params.id, body ?? {}, caller)),
    confirmWebhook: confirm,
    confirmWebhookByPost: confirm,
  } satisfies Partial<Handlers>;
}
