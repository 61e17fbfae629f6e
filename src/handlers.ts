/** The operations of the API, each handed to its flow. The names are the contract's operationIds. */
import type { FastifyReply, FastifyRequest } from "fastify";
import { publishMessage, storeMessage } from "./downlink/messages.ts";
import type { Outbox } from "./downlink/outbox.ts";
import type { Publish } from "./downlink/publish.ts";
import type { ReadRetained } from "./downlink/retained.ts";
import { getRetained, publishToTopic } from "./downlink/topics.ts";
import { Problem } from "./errors.ts";
import type { Handlers } from "./http/contract/index.ts";
import { prefersAsync, RESPOND_ASYNC } from "./http/prefer.ts";
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
  outbox: Pick<Outbox, "accept" | "get" | "cancel">;
  webhooks: WebhookService<DeliveryPage, DeliveryQuery>;
  readiness(): Promise<Readiness>;
  status(): Promise<Record<string, unknown>>;
  metrics(): Promise<{ contentType: string; text: string }>;
  maxPayloadBytes: number;
}

const soon = (): never => {
  throw new Problem("internal_error", "not built yet");
};

/** 202: the work will be done, and `location` says what becomes of it. */
function accepted(reply: FastifyReply, location: string, preferred: boolean): void {
  reply.code(202).header("location", location);
  if (preferred) reply.header("preference-applied", RESPOND_ASYNC);
}

export function makeHandlers(ports: HandlerPorts): Handlers {
  const { webhooks, outbox } = ports;
  const contentType = (request: FastifyRequest) => request.headers["content-type"];
  return {
    publishMessage: async (request, reply) => {
      const { body, rawJson } = request;
      const async = prefersAsync(request.headers.prefer);
      if (!async && body.sendAt === undefined) return publishMessage(body, rawJson, ports);
      const { maxPayloadBytes } = ports;
      const stored = await storeMessage(body, rawJson, { accept: outbox.accept, maxPayloadBytes });
      accepted(reply, `/v1/messages/${stored.id}`, async);
      return stored;
    },
    getMessage: (request) => outbox.get(request.params.id),
    cancelMessage: async (request) => {
      await outbox.cancel(request.params.id);
      return undefined;
    },

    getRetained: async (request, reply) => {
      const { topic } = request.params;
      const { status, body, headers } = await getRetained(topic, request.headers["if-none-match"], ports.readRetained);
      return reply.code(status).headers(headers).send(body);
    },
    publishToTopic: (request) =>
      publishToTopic(
        { ...request.params, ...request.query, body: request.body, contentType: contentType(request) },
        ports,
      ),
    retainTopic: (request) =>
      publishToTopic(
        { ...request.params, ...request.query, retain: true, body: request.body, contentType: contentType(request) },
        ports,
      ),
    // An empty retained message clears what the topic holds (MQTT 5 section 3.3.1.3).
    clearTopic: (request) =>
      publishToTopic({ ...request.params, ...request.query, retain: true, body: Buffer.alloc(0) }, ports),

    publishBatch: soon,
    listRetained: soon,
    sendRequest: soon,
    getRequest: soon,
    openStream: soon,
    createKey: soon,
    listKeys: soon,
    deleteKey: soon,

    createWebhook: async (request, reply) => {
      const webhook = await webhooks.create(request.body);
      reply.header("location", `/v1/webhooks/${webhook.id}`);
      return webhook as typeof webhook & { secret: string };
    },
    listWebhooks: (request) => webhooks.list(request.query),
    getWebhook: (request) => webhooks.get(request.params.id),
    updateWebhook: (request) => webhooks.update(request.params.id, request.body),
    deleteWebhook: async (request) => {
      await webhooks.remove(request.params.id);
      return undefined;
    },
    listDeliveries: (request) => webhooks.listDeliveries(request.params.id, request.query),

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
