/** The ports of a batch: rights, rate limit and refusals of its messages. */
import type { FastifyRequest } from "fastify";
import { type BatchPorts, publishNow } from "../downlink/batch.ts";
import { storeMessage } from "../downlink/messages.ts";
import type { Outbox } from "../downlink/outbox.ts";
import type { Publish } from "../downlink/publish.ts";
import { Refused } from "../errors.ts";
import { prefersAsync } from "../http/prefer.ts";
import { Problem, problemOf, within } from "../http/problem.ts";
import { requireRate } from "../http/rate-limit.ts";
import { checkPublish } from "../keys/caller.ts";
import { checkResponseTopic } from "../webhooks/reply-topic.ts";
import type { Webhook } from "../webhooks/webhook.ts";
import { type KeyCheck, requireValid } from "./key-check.ts";

export interface BatchHandlerPorts extends KeyCheck {
  publish: Publish;
  outbox: Pick<Outbox, "accept">;
  maxPayloadBytes: number;
  /** All webhooks in this instance's record cache. */
  registrations(): Webhook[];
  /** The Problem that a known error of another part stands for; undefined for any other error. */
  explain(error: unknown): Problem | undefined;
}

/** Creates the ports of a batch for the caller of the request. */
export function batchPorts(request: FastifyRequest, ports: BatchHandlerPorts): BatchPorts {
  const { caller } = request;
  const async = prefersAsync(request.headers.prefer);
  return {
    faults: request.routeOptions.config.items!.faults,
    publishOne: (input, rawJson) => {
      const refused = checkResponseTopic(input, ports.registrations, caller);
      if (refused) return Promise.resolve(refused);
      if (!async && input.sendAt === undefined) return publishNow(input, rawJson, ports);
      const { accept } = ports.outbox;
      return storeMessage(input, rawJson, { ...ports, accept }).then((stored) =>
        stored instanceof Refused ? stored : { status: 202, ...stored },
      );
    },
    check: (topic, path) => checkPublish(caller, topic, path),
    take: (count) => {
      requireValid(request, ports); // a streamed body may last for hours
      requireRate(caller, count);
    },
    once: request.onceALine,
    refusal: (error, index) => JSON.stringify(within(`messages[${index}]`, problemFor(error, request, ports))),
  };
}

function problemFor(error: unknown, request: FastifyRequest, { explain }: BatchHandlerPorts): Problem {
  if (error instanceof Refused) return problemOf(error);
  const problem = error instanceof Problem ? error : explain(error);
  if (problem) return problem;
  request.log.error({ err: error, method: request.method, url: request.url }, "batch_item_failed");
  return new Problem("internal_error", "the message could not be published", { cause: error });
}
