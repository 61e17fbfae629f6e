/** Handlers of the API operations; each passes the request to its flow. The names are the contract's operationIds. */
import type { OutgoingHttpHeaders } from "node:http";
import { Readable } from "node:stream";
import type { FastifyReply, FastifyRequest } from "fastify";
import type { AsyncRequests } from "../downlink/async-requests.ts";
import { publishBatch } from "../downlink/batch.ts";
import { publishLines } from "../downlink/batch-stream.ts";
import { publishMessage, storeMessage } from "../downlink/messages.ts";
import type { Outbox } from "../downlink/outbox.ts";
import type { Publish } from "../downlink/publish.ts";
import { PLACEHOLDER, prepareRequest } from "../downlink/request.ts";
import type { FindRetained, ReadRetained, ReadSeveral } from "../downlink/retained.ts";
import { listRetained } from "../downlink/retained-list.ts";
import type { StoredPublish } from "../downlink/stored-publish.ts";
import { getRetained, publishToTopic } from "../downlink/topics.ts";
import { Problem, refuseField } from "../errors.ts";
import { unauthorized } from "../http/auth.ts";
import type { Handlers } from "../http/contract/index.ts";
import { prefersAsync, RESPOND_ASYNC } from "../http/prefer.ts";
import { unwrap } from "../http/problem.ts";
import { type Caller, checkPublish, checkRead } from "../keys/caller.ts";
import type { Keys } from "../keys/keys.ts";
import type { Streams } from "../live/sse.ts";
import type { SyncRequests } from "../live/sync-requests.ts";
import { topicFilterError } from "../topic.ts";
import { checkResponseTopic } from "../webhooks/reply-topic.ts";
import type { Webhook } from "../webhooks/webhook.ts";
import { batchPorts } from "./batch.ts";
import { type DeliveryPorts, deliveryHandlers } from "./deliveries.ts";
import { type OperationsPorts, operationsHandlers } from "./operations.ts";
import { type WebhookPorts, webhookHandlers } from "./webhooks.ts";

export interface HandlerPorts extends WebhookPorts, Omit<DeliveryPorts, "webhooks">, OperationsPorts {
  publish: Publish;
  readRetained: ReadRetained;
  findRetained: FindRetained;
  readSeveral: ReadSeveral;
  outbox: Pick<Outbox, "accept" | "get" | "cancel">;
  keys: Pick<Keys, "create" | "list" | "remove">;
  streams: Pick<Streams, "open">;
  requests: Pick<SyncRequests, "ask">;
  storedRequests: Pick<AsyncRequests, "accept" | "get" | "cancel">;
  /** The broker's protocol version; undefined before the first connection. */
  protocol(): "5" | "3.1.1" | undefined;
  /** Response topic of this instance, for requests without one. */
  responseTopic: string;
  /** All webhooks in this instance's record cache. */
  registrations(): Webhook[];
  /** Whether the API key of a request is still valid. */
  isValid(request: FastifyRequest): boolean;
  maxPayloadBytes: number;
  /** The Problem that a known error of another part stands for; undefined for any other error. */
  explain(error: unknown): Problem | undefined;
}

const JSON_TYPE = "application/json; charset=utf-8";
const STORED_RESPONSE_TOPIC = `causeway/responses/${PLACEHOLDER}`;
/** Keeps proxies from caching or buffering the stream. */
const STREAM_HEADERS = {
  "content-type": "text/event-stream",
  "cache-control": "no-store",
  "x-accel-buffering": "no",
};

/** Aborts when the client disconnects before the response is complete. */
function whenGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableEnded) gone.abort();
  });
  return gone.signal;
}

/** Sends 202: the work is done later, and `location` reports its outcome. */
function accepted(reply: FastifyReply, location: string, preferred: boolean): void {
  reply.code(202).header("location", location);
  if (preferred) reply.header("preference-applied", RESPOND_ASYNC);
}

export function createHandlers(ports: HandlerPorts): Handlers {
  const { keys, outbox } = ports;
  return {
    publishMessage: async (request, reply) => {
      const { body, rawJson } = request;
      unwrap(
        checkPublish(request.caller, body.topic, "topic") ??
          checkResponseTopic(body, ports.registrations, request.caller),
      );
      const async = prefersAsync(request.headers.prefer);
      if (!async && body.sendAt === undefined) return unwrap(await publishMessage(body, rawJson, ports));
      const { maxPayloadBytes } = ports;
      const stored = unwrap(await storeMessage(body, rawJson, { accept: outbox.accept, maxPayloadBytes }));
      accepted(reply, `/v1/messages/${stored.id}`, async);
      return stored;
    },
    getMessage: (request) => visible(request.caller, outbox, request.params.id),
    cancelMessage: async (request) => {
      const { id } = request.params;
      await visible(request.caller, outbox, id);
      const outcome = await outbox.cancel(id);
      if (outcome === "not_found") throw noMessage(id);
      if (outcome === "too_late") throw new Problem("conflict", "it has been published, or is being published now");
      return undefined;
    },

    getRetained: async (request, reply) => {
      const { topic } = request.params;
      unwrap(checkRead(request.caller, topic, "topic"));
      const found = unwrap(await getRetained(topic, request.headers["if-none-match"], ports.readRetained));
      const { status, body, headers } = found;
      return reply.code(status).headers(headers).send(body);
    },
    publishToTopic: async ({ caller, params: { topic }, query: { qos, retain, expirySeconds }, body, headers }) => {
      unwrap(checkPublish(caller, topic, "topic"));
      const contentType = headers["content-type"];
      return unwrap(await publishToTopic({ topic, body, contentType, qos, retain, expirySeconds }, ports));
    },
    retainTopic: async ({ caller, params: { topic }, query: { qos, expirySeconds }, body, headers }) => {
      unwrap(checkPublish(caller, topic, "topic"));
      const contentType = headers["content-type"];
      return unwrap(await publishToTopic({ topic, body, contentType, qos, retain: true, expirySeconds }, ports));
    },
    // An empty retained message clears the topic (MQTT 5 section 3.3.1.3).
    clearTopic: async ({ caller, params: { topic }, query: { qos } }) => {
      unwrap(checkPublish(caller, topic, "topic"));
      return unwrap(await publishToTopic({ topic, body: Buffer.alloc(0), qos, retain: true }, ports));
    },

    publishBatch: async (request, reply) => {
      const { items } = request.routeOptions.config;
      const batch = batchPorts(request, { ...ports, requireValid: (one) => requireValid(one, ports) });
      const body: unknown = request.body;
      if (body instanceof Readable) {
        const results = Readable.from(publishLines(body, items!.maxBytes, batch), { objectMode: false });
        return reply.type("application/x-ndjson").send(results);
      }
      const answer = await publishBatch(request.body.messages, request.rawJson, batch);
      return reply.type("application/json; charset=utf-8").send(answer);
    },
    listRetained: async ({ query, caller }) =>
      unwrap(await listRetained(query, { ...ports, check: (filter, path) => checkRead(caller, filter, path) })),
    sendRequest: async (request, reply) => {
      const { body, rawJson, caller } = request;
      const { protocol, maxPayloadBytes } = ports;
      const async = prefersAsync(request.headers.prefer);
      // A topic of this instance only, so that no other instance receives the response; any instance may receive the
      // response to a stored request.
      const responseTopic = async ? STORED_RESPONSE_TOPIC : ports.responseTopic;
      const prepared = unwrap(prepareRequest(body, rawJson, { protocol: protocol(), responseTopic, maxPayloadBytes }));
      unwrap(checkPublish(caller, prepared.message.topic, "topic"));
      if (body.responseTopic !== undefined) {
        unwrap(
          checkRead(caller, prepared.responseTopic, "responseTopic") ??
            checkResponseTopic(prepared.message, ports.registrations, caller),
        );
      }
      reply.type(JSON_TYPE);
      if (async) {
        const state = unwrap(await ports.storedRequests.accept(prepared, body.expirySeconds));
        accepted(reply, `/v1/requests/${prepared.id}`, async);
        return reply.send(state);
      }
      const { timeoutSeconds = 10, expirySeconds = Math.ceil(timeoutSeconds) } = body;
      prepared.message.expirySeconds = expirySeconds;
      const answer = unwrap(await ports.requests.ask(prepared, timeoutSeconds * 1_000, whenGone(reply)));
      requireValid(request, ports);
      return reply.send(answer);
    },
    getRequest: async ({ params, caller }, reply) => {
      const state = unwrap(await ports.storedRequests.get(params.id, (topic) => caller.mayPublish(topic)));
      return reply.type(JSON_TYPE).send(state);
    },
    cancelRequest: async ({ params, caller }) => {
      return unwrap(await ports.storedRequests.cancel(params.id, (topic) => caller.mayPublish(topic)));
    },
    openStream: async (request, reply) => {
      const { caller, query } = request;
      const topics = [query.topic].flat();
      for (const [i, topic] of topics.entries()) {
        const wrong = topicFilterError(topic);
        const path = `query.topic[${i}]`;
        unwrap(wrong ? refuseField("invalid_topic_filter", path, wrong) : checkRead(caller, topic, path));
      }
      const start = () => {
        reply.hijack();
        const headers = { ...reply.getHeaders(), ...STREAM_HEADERS } as OutgoingHttpHeaders;
        return reply.raw.writeHead(200, headers);
      };
      unwrap(await ports.streams.open(topics, start, () => ports.isValid(request)));
      return reply;
    },
    createKey: async (request, reply) => {
      const key = unwrap(await keys.create(request.body));
      reply.header("location", `/v1/keys/${key.id}`);
      return key;
    },
    listKeys: async (request) => unwrap(await keys.list(request.query)),
    deleteKey: async (request) => {
      const { id } = request.params;
      if (!(await keys.remove(id))) throw new Problem("not_found", `there is no key ${id}`);
      return undefined;
    },

    ...webhookHandlers(ports),
    ...deliveryHandlers(ports),

    ...operationsHandlers(ports),
  };
}

/** Rejects a key that became invalid during a long request. @throws Problem unauthorized */
function requireValid(request: FastifyRequest, { isValid }: Pick<HandlerPorts, "isValid">): void {
  if (!isValid(request)) throw unauthorized("the key was withdrawn, or has expired, after the request began");
}

/** Returns a stored message if the caller may publish to its topic. @throws Problem not_found */
async function visible(caller: Caller, outbox: HandlerPorts["outbox"], id: string): Promise<StoredPublish> {
  const stored = await outbox.get(id);
  if (!stored || !caller.mayPublish(stored.topic)) throw noMessage(id);
  return stored;
}

function noMessage(id: string): Problem {
  return new Problem("not_found", `there is no stored message ${id}`);
}
