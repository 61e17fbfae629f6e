/** Handlers for messages: publish, store, batch. */
import { Readable } from "node:stream";
import type { FastifyRequest } from "fastify";
import { type BatchPorts, publishBatch, publishNow } from "../downlink/batch.ts";
import { publishLines } from "../downlink/batch-stream.ts";
import { publishMessage, storeMessage } from "../downlink/messages.ts";
import type { Outbox } from "../downlink/outbox.ts";
import type { Publish } from "../downlink/publish.ts";
import type { StoredPublish } from "../downlink/stored-publish.ts";
import { Problem } from "../errors.ts";
import type { Handlers } from "../http/contract/index.ts";
import { prefersAsync } from "../http/prefer.ts";
import { type Caller, requirePublish, requireRate } from "../keys/caller.ts";
import { checkResponseTopic } from "../webhooks/reply-topic.ts";
import type { Webhook } from "../webhooks/webhook.ts";
import { accepted } from "./accepted.ts";
import { type KeyCheck, requireValid } from "./key-check.ts";

export interface MessagePorts extends KeyCheck {
  publish: Publish;
  outbox: Pick<Outbox, "accept" | "get" | "cancel">;
  /** All webhooks in this instance's record cache. */
  registrations(): Webhook[];
  maxPayloadBytes: number;
  /** The Problem that a known error of another part stands for; undefined for any other error. */
  explain(error: unknown): Problem | undefined;
}

type MessageOperation = "publishMessage" | "publishBatch" | "getMessage" | "cancelMessage";

export function messageHandlers(ports: MessagePorts): Pick<Handlers, MessageOperation> {
  const { publish, outbox, registrations, maxPayloadBytes } = ports;
  return {
    publishMessage: async (request, reply) => {
      const { body, rawJson } = request;
      requirePublish(request.caller, body.topic, "topic");
      checkResponseTopic(body, registrations, request.caller);
      const async = prefersAsync(request.headers.prefer);
      if (!async && body.sendAt === undefined) return publishMessage(body, rawJson, { publish, maxPayloadBytes });
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
  };
}

/** Ports of a batch for the caller of the request. */
function batchPorts(request: FastifyRequest, ports: MessagePorts): BatchPorts {
  const { caller } = request;
  const async = prefersAsync(request.headers.prefer);
  return {
    faults: request.routeOptions.config.items!.faults,
    publishOne: (input, rawJson) => {
      checkResponseTopic(input, ports.registrations, caller);
      if (!async && input.sendAt === undefined) return publishNow(input, rawJson, ports);
      const { accept } = ports.outbox;
      return storeMessage(input, rawJson, { ...ports, accept }).then((stored) => ({ status: 202, ...stored }));
    },
    check: (topic, path) => requirePublish(caller, topic, path),
    take: (count) => {
      requireValid(request, ports); // a streamed body may last for hours
      requireRate(caller, count);
    },
    once: request.onceALine,
    refusal: (error) => {
      const problem = error instanceof Problem ? error : ports.explain(error);
      if (problem) return problem;
      request.log.error({ err: error, method: request.method, url: request.url }, "batch_item_failed");
      return new Problem("internal_error", "the message could not be published", { cause: error });
    },
  };
}

/** Returns a stored message if the caller may publish to its topic. @throws Problem not_found */
async function visible(caller: Caller, outbox: MessagePorts["outbox"], id: string): Promise<StoredPublish> {
  const stored = await outbox.get(id);
  if (!caller.mayPublish(stored.topic)) throw new Problem("not_found", `there is no stored message ${id}`);
  return stored;
}
