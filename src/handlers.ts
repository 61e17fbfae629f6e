/** The operations of the API, each handed to its flow. The names are the contract's operationIds. */
import type { FastifyRequest } from "fastify";
import { requirePublish, requireRead } from "./caller.ts";
import { publishMessage } from "./downlink/messages.ts";
import type { Publish } from "./downlink/publish.ts";
import type { ReadRetained } from "./downlink/retained.ts";
import { getRetained, publishToTopic } from "./downlink/topics.ts";
import { Problem } from "./errors.ts";
import type { Handlers } from "./http/contract/index.ts";
import type { Keys } from "./keys/keys.ts";
import type { Readiness } from "./ops/health.ts";
import type { DeliveryPage, DeliveryStatus } from "./uplink/deliveries.ts";
import type { WebhookService } from "./webhooks/service.ts";

export interface DeliveryQuery {
  status?: DeliveryStatus;
  after?: string;
  limit: number;
}

export interface HandlerPorts {
  publish: Publish;
  readRetained: ReadRetained;
  webhooks: WebhookService<DeliveryPage, DeliveryQuery>;
  keys: Pick<Keys, "create" | "list" | "remove">;
  readiness(): Promise<Readiness>;
  status(): Promise<Record<string, unknown>>;
  metrics(): Promise<{ contentType: string; text: string }>;
  maxPayloadBytes: number;
}

const soon = (): never => {
  throw new Problem("internal_error", "not built yet");
};

export function makeHandlers(ports: HandlerPorts): Handlers {
  const { webhooks, keys } = ports;
  const contentType = (request: FastifyRequest) => request.headers["content-type"];
  return {
    publishMessage: (request) => {
      requirePublish(request.caller, request.body.topic, "topic");
      return publishMessage(request.body, request.rawJson, ports);
    },

    getRetained: async (request, reply) => {
      const { topic } = request.params;
      requireRead(request.caller, topic, "topic");
      const { status, body, headers } = await getRetained(topic, request.headers["if-none-match"], ports.readRetained);
      return reply.code(status).headers(headers).send(body);
    },
    publishToTopic: (request) => {
      requirePublish(request.caller, request.params.topic, "topic");
      return publishToTopic(
        { ...request.params, ...request.query, body: request.body, contentType: contentType(request) },
        ports,
      );
    },
    retainTopic: (request) => {
      requirePublish(request.caller, request.params.topic, "topic");
      return publishToTopic(
        { ...request.params, ...request.query, retain: true, body: request.body, contentType: contentType(request) },
        ports,
      );
    },
    // An empty retained message clears what the topic holds (MQTT 5 section 3.3.1.3).
    clearTopic: (request) => {
      requirePublish(request.caller, request.params.topic, "topic");
      return publishToTopic({ ...request.params, ...request.query, retain: true, body: Buffer.alloc(0) }, ports);
    },

    publishBatch: soon,
    getMessage: soon,
    cancelMessage: soon,
    listRetained: soon,
    sendRequest: soon,
    getRequest: soon,
    openStream: soon,

    createKey: async (request, reply) => {
      const key = await keys.create(request.body);
      reply.header("location", `/v1/keys/${key.id}`);
      return key;
    },
    listKeys: (request) => keys.list(request.query),
    deleteKey: async (request) => {
      await keys.remove(request.params.id);
      return undefined;
    },

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

    getHealth: () => ({ status: "ok" as const }),
    getReady: async (_request, reply) => {
      const readiness = await ports.readiness();
      return reply.code(readiness.status === "ready" ? 200 : 503).send(readiness);
    },
    getMetrics: async (_request, reply) => {
      const { contentType: type, text } = await ports.metrics();
      return reply.type(type).send(text);
    },
    getStatus: () => ports.status(),
  };
}
