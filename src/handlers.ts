/** The operations of the API, each handed to its flow. The names are the contract's operationIds. */
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import { type Caller, requirePublish, requireRate, requireRead } from "./caller.ts";
import { type BatchPorts, publishBatch, publishNow } from "./downlink/batch.ts";
import { publishLines } from "./downlink/batch-stream.ts";
import { publishMessage, storeMessage } from "./downlink/messages.ts";
import type { Outbox } from "./downlink/outbox.ts";
import type { Publish } from "./downlink/publish.ts";
import type { FindRetained, ReadRetained, ReadSeveral } from "./downlink/retained.ts";
import { listRetained } from "./downlink/retained-list.ts";
import type { StoredPublish } from "./downlink/stored-publish.ts";
import { getRetained, publishToTopic } from "./downlink/topics.ts";
import { Problem } from "./errors.ts";
import type { Handlers } from "./http/contract/index.ts";
import { prefersAsync, RESPOND_ASYNC } from "./http/prefer.ts";
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
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
  outbox: Pick<Outbox, "accept" | "get" | "cancel">;
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

/** 202: the work will be done, and `location` says what becomes of it. */
function accepted(reply: FastifyReply, location: string, preferred: boolean): void {
  reply.code(202).header("location", location);
  if (preferred) reply.header("preference-applied", RESPOND_ASYNC);
}

export function makeHandlers(ports: HandlerPorts): Handlers {
  const { webhooks, keys, outbox } = ports;
  return {
    publishMessage: async (request, reply) => {
      const { body, rawJson } = request;
      requirePublish(request.caller, body.topic, "topic");
      const async = prefersAsync(request.headers.prefer);
      if (!async && body.sendAt === undefined) return publishMessage(body, rawJson, ports);
      const { maxPayloadBytes } = ports;
      const stored = await storeMessage(body, rawJson, { accept: outbox.accept, maxPayloadBytes });
      accepted(reply, `/v1/messages/${stored.id}`, async);
      return stored;
    },
    getMessage: (request) => visible(request.caller, outbox, request.params.id),
    cancelMessage: async (request) => {
      await visible(request.caller, outbox, request.params.id);
      await outbox.cancel(request.params.id);
      return undefined;
    },

    getRetained: async (request, reply) => {
      const { topic } = request.params;
      requireRead(request.caller, topic, "topic");
      const { status, body, headers } = await getRetained(topic, request.headers["if-none-match"], ports.readRetained);
      return reply.code(status).headers(headers).send(body);
    },
    publishToTopic: ({ caller, params: { topic }, query: { qos, retain, expirySeconds }, body, headers }) => {
      requirePublish(caller, topic, "topic");
      return publishToTopic({ topic, body, contentType: headers["content-type"], qos, retain, expirySeconds }, ports);
    },
    retainTopic: ({ caller, params: { topic }, query: { qos, expirySeconds }, body, headers }) => {
      requirePublish(caller, topic, "topic");
      const contentType = headers["content-type"];
      return publishToTopic({ topic, body, contentType, qos, retain: true, expirySeconds }, ports);
    },
    // An empty retained message clears what the topic holds (MQTT 5 section 3.3.1.3).
    clearTopic: ({ caller, params: { topic }, query: { qos } }) => {
      requirePublish(caller, topic, "topic");
      return publishToTopic({ topic, body: Buffer.alloc(0), qos, retain: true }, ports);
    },

    publishBatch: async (request, reply) => {
      const { items } = request.routeOptions.config;
      const batch = batchPorts(request, ports);
      const body: unknown = request.body;
      if (body instanceof Readable) {
        const results = Readable.from(publishLines(body, items!.maxBytes, batch), { objectMode: false });
        return reply.type("application/x-ndjson").send(results);
      }
      const answer = await publishBatch(request.body.messages, request.rawJson, batch);
      return reply.type("application/json; charset=utf-8").send(answer);
    },
    listRetained: ({ query, caller }) =>
      listRetained(query, { ...ports, check: (filter) => requireRead(caller, filter, "query.filter") }),
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

/** What a batch may do and where its messages go. */
function batchPorts(request: FastifyRequest, ports: HandlerPorts): BatchPorts {
  const { caller } = request;
  const async = prefersAsync(request.headers.prefer);
  return {
    faults: request.routeOptions.config.items!.faults,
    publishOne: (input, rawJson) => {
      if (!async && input.sendAt === undefined) return publishNow(input, rawJson, ports);
      const { accept } = ports.outbox;
      return storeMessage(input, rawJson, { ...ports, accept }).then((stored) => ({ status: 202, ...stored }));
    },
    check: (topic, path) => requirePublish(caller, topic, path),
    take: (count) => void requireRate(caller, count),
    refusal: (error) => {
      if (error instanceof Problem) return error;
      request.log.error({ err: error, method: request.method, url: request.url }, "batch_item_failed");
      return new Problem("internal_error", "the message could not be published", { cause: error });
    },
  };
}

/** A stored publish, as far as the key may know of it. */
async function visible(caller: Caller, outbox: HandlerPorts["outbox"], id: string): Promise<StoredPublish> {
  const stored = await outbox.get(id);
  if (!caller.mayPublish(stored.topic)) throw new Problem("not_found", `there is no stored message ${id}`);
  return stored;
}
