/** The operations about webhooks and their deliveries. */
import type { Handlers, OperationRequest } from "../http/contract/index.ts";
import type { DeliveryPage, DeliveryQuery } from "../uplink/deliveries.ts";
import type { WebhookService } from "../webhooks/service.ts";
import { consentOf } from "../webhooks/verification.ts";

export interface WebhookPorts {
  webhooks: WebhookService<DeliveryPage, DeliveryQuery>;
}

type WebhookOperation =
  | `${"create" | "get" | "update" | "delete" | "preview" | "pause" | "resume" | "test" | "confirm"}Webhook`
  | "listWebhooks"
  | "rotateSecret"
  | "confirmWebhookByPost"
  | "listDeliveries";

export function webhookHandlers({ webhooks }: WebhookPorts): Pick<Handlers, WebhookOperation> {
  const notYet = () => {
    throw new Error("not built yet");
  };
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
    listDeliveries: (request) => webhooks.listDeliveries(request.params.id, request.query, request.caller),
    previewWebhook: notYet,
    pauseWebhook: ({ params, caller }) => webhooks.update(params.id, { enabled: false }, caller),
    resumeWebhook: ({ params, caller }) => webhooks.update(params.id, { enabled: true }, caller),
    testWebhook: notYet,
    rotateSecret: ({ params, body, caller }) => webhooks.rotateSecret(params.id, body ?? {}, caller),
    confirmWebhook: confirm,
    confirmWebhookByPost: confirm,
  };
}
