/** Handlers for messages: publish, store, batch. */
import { Readable } from "node:stream";
import { publishBatch } from "../downlink/batch.ts";
import { publishLines } from "../downlink/batch-stream.ts";
import { publishMessage, storeMessage } from "../downlink/messages.ts";
import type { Outbox } from "../downlink/outbox.ts";
import type { StoredPublish } from "../downlink/stored-publish.ts";
import type { Handlers } from "../http/contract/index.ts";
import { prefersAsync } from "../http/prefer.ts";
import { Problem, unwrap } from "../http/problem.ts";
import { type Caller, checkPublish } from "../keys/caller.ts";
import type { MessageDeliveries } from "../uplink/queue/lists/message-deliveries.ts";
import { checkResponseTopic } from "../webhooks/reply-topic.ts";
import { accepted } from "./accepted.ts";
import { type BatchHandlerPorts, batchPorts } from "./batch.ts";
import { received } from "./delivery-content.ts";

export interface MessagePorts extends BatchHandlerPorts {
  outbox: Pick<Outbox, "accept" | "get" | "cancel">;
  webhooks: {
    /** The ids of all webhooks that the caller may see. */
    visible(caller: Caller): string[];
  };
  deliveries: {
    /** The message with its deliveries to these webhooks. */
    ofMessage(webhookIds: readonly string[], messageId: string): Promise<MessageDeliveries | "not_found">;
  };
}

export function messageHandlers(ports: MessagePorts) {
  const { publish, outbox, webhooks, deliveries, registrations, maxPayloadBytes } = ports;
  return {
    publishMessage: async (request, reply) => {
      const { body, rawJson } = request;
      unwrap(
        checkPublish(request.caller, body.topic, "topic") ?? checkResponseTopic(body, registrations, request.caller),
      );
      const async = prefersAsync(request.headers.prefer);
      if (!async && body.sendAt === undefined) {
        return unwrap(await publishMessage(body, rawJson, { publish, maxPayloadBytes }));
      }
      const stored = unwrap(await storeMessage(body, rawJson, { accept: outbox.accept, maxPayloadBytes }));
      accepted(reply, `/v1/messages/${stored.id}`, async);
      return stored;
    },
    getMessage: async ({ caller, params: { id } }) => {
      const stored = caller.may("publish") ? await storedFor(caller, outbox, id) : undefined;
      if (stored) return { direction: "published" as const, ...stored };
      const seesDeliveries = caller.may("webhooks") || caller.may("view");
      const found = seesDeliveries ? await deliveries.ofMessage(webhooks.visible(caller), id) : "not_found";
      if (found === "not_found") throw noMessage(id);
      return received(id, found, caller);
    },
    cancelMessage: async ({ caller, params: { id } }) => {
      if (!(await storedFor(caller, outbox, id))) throw noMessage(id);
      const outcome = await outbox.cancel(id);
      if (outcome === "not_found") throw noMessage(id);
      if (outcome === "too_late") throw new Problem("conflict", "the message has been published or is being published");
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
  } satisfies Partial<Handlers>;
}

/** Returns a stored message if the caller may publish to its topic. */
async function storedFor(
  caller: Caller,
  outbox: MessagePorts["outbox"],
  id: string,
): Promise<StoredPublish | undefined> {
  const stored = await outbox.get(id);
  return stored && caller.mayPublish(stored.topic) ? stored : undefined;
}

function noMessage(id: string): Problem {
  return new Problem("not_found", `there is no message ${id}`);
}
