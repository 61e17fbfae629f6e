/** Handlers for requests to devices, synchronous and asynchronous. */
import type { FastifyReply } from "fastify";
import type { AsyncRequests } from "../downlink/async-requests.ts";
import { PLACEHOLDER, prepareRequest } from "../downlink/request.ts";
import type { Handlers } from "../http/contract/index.ts";
import { prefersAsync } from "../http/prefer.ts";
import { unwrap } from "../http/problem.ts";
import { checkPublish, checkRead } from "../keys/caller.ts";
import type { SyncRequests } from "../live/sync-requests.ts";
import { checkResponseTopic } from "../webhooks/reply-topic.ts";
import type { Webhook } from "../webhooks/webhook.ts";
import { accepted } from "./accepted.ts";
import { type KeyCheck, requireValid } from "./key-check.ts";

export interface RequestPorts extends KeyCheck {
  syncRequests: Pick<SyncRequests, "ask">;
  asyncRequests: Pick<AsyncRequests, "accept" | "get" | "cancel">;
  /** The broker's protocol version; undefined before the first connection. */
  protocol(): "5" | "3.1.1" | undefined;
  /** Response topic of this instance, for requests without one. */
  responseTopic: string;
  /** All webhooks in this instance's record cache. */
  registrations(): Webhook[];
  maxPayloadBytes: number;
}

const JSON_TYPE = "application/json; charset=utf-8";
const STORED_RESPONSE_TOPIC = `causeway/responses/${PLACEHOLDER}`;

export function requestHandlers(ports: RequestPorts) {
  const { syncRequests, asyncRequests } = ports;
  return {
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
        const state = unwrap(await asyncRequests.accept(prepared, body.expirySeconds));
        accepted(reply, `/v1/requests/${prepared.id}`, async);
        return reply.send(state);
      }
      const { timeoutSeconds = 10, expirySeconds = Math.ceil(timeoutSeconds) } = body;
      prepared.message.expirySeconds = expirySeconds;
      const answer = unwrap(await syncRequests.ask(prepared, timeoutSeconds * 1_000, whenGone(reply)));
      requireValid(request, ports);
      return reply.send(answer);
    },
    getRequest: async ({ params, caller }, reply) => {
      const state = unwrap(await asyncRequests.get(params.id, (topic) => caller.mayPublish(topic)));
      return reply.type(JSON_TYPE).send(state);
    },
    cancelRequest: async ({ params, caller }) =>
      unwrap(await asyncRequests.cancel(params.id, (topic) => caller.mayPublish(topic))),
  } satisfies Partial<Handlers>;
}

/** Aborts when the client disconnects before the response is complete. */
function whenGone(reply: FastifyReply): AbortSignal {
  const gone = new AbortController();
  reply.raw.once("close", () => {
    if (!reply.raw.writableEnded) gone.abort();
  });
  return gone.signal;
}
