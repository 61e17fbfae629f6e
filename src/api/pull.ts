/** Handlers for consumers of pull webhooks. */
import type { FastifyReply } from "fastify";
import type { Refused } from "../errors.ts";
import type { Handlers, OperationRequest } from "../http/contract/index.ts";
import { Problem, unwrap } from "../http/problem.ts";
import type { Caller } from "../keys/caller.ts";
import type { DeliveryLease } from "../uplink/pull/lease.ts";
import type { Pulls } from "../uplink/pull/pulls.ts";
import type { PulledDelivery } from "../uplink/pull/take.ts";
import { mayReadContent } from "../webhooks/access.ts";
import { isPull, type Webhook } from "../webhooks/webhook.ts";

export interface PullPorts {
  webhooks: {
    /** Refused also if the caller may not see the webhook. */
    readable(id: string, caller: Caller): Promise<Webhook | Refused>;
  };
  pulls: Pick<Pulls, "pull" | "pullAgain" | "ack" | "nack">;
}

const DEFAULTS = { max: 10, waitSeconds: 0, leaseSeconds: 60 };

export function pullHandlers({ webhooks, pulls }: PullPorts) {
  const pullable = async ({
    params,
    caller,
  }: Pick<OperationRequest<"ackDeliveries">, "params" | "caller">): Promise<Webhook> => {
    const webhook = unwrap(await webhooks.readable(params.id, caller));
    if (isPull(webhook)) return webhook;
    throw new Problem("conflict", "the webhook is of type push: its deliveries are sent to its url");
  };
  return {
    pullDeliveries: async (request, reply) => {
      const signal = goneSignal(reply);
      const { max, waitSeconds, leaseSeconds } = {
        ...DEFAULTS,
        ...(request.body as Partial<typeof DEFAULTS> | undefined),
      };
      const webhook = await pullable(request);
      const options = {
        ...{ leaseMs: leaseSeconds * 1_000, signal },
        mayRead: (content: { topic: string; type: string }) => mayReadContent(content, request.caller),
      };
      const pull = async () => unwrap(await pulls.pull(webhook, { ...options, max, waitMs: waitSeconds * 1_000 }));
      const pullAgain = async (kept: string) => {
        const items = unwrap(await pulls.pullAgain(webhook, JSON.parse(kept) as DeliveryLease[], options));
        if (items.length > 0) return items;
        throw new Problem("conflict", "the leases of this Idempotency-Key have ended: use another key");
      };
      const { onceRemade } = request;
      const items = onceRemade
        ? await onceRemade(async () => {
            const found = await pull();
            return [found, found.length === 0 ? undefined : JSON.stringify(found.map(leaseOf))];
          }, pullAgain)
        : await pull();
      reply.type("application/json; charset=utf-8");
      return reply.send(pulledJson(items));
    },
    ackDeliveries: async (request) => {
      const { ended, unknown } = await pulls.ack(await pullable(request), request.body.items);
      return { acked: ended, unknown };
    },
    nackDeliveries: async (request) => {
      const { items, delaySeconds = 0 } = request.body;
      const { ended, unknown } = await pulls.nack(await pullable(request), items, delaySeconds * 1_000);
      return { nacked: ended, unknown };
    },
  } satisfies Partial<Handlers>;
}

/** Aborts when the response is sent, or the consumer has gone. */
function goneSignal({ raw }: FastifyReply): AbortSignal {
  const gone = new AbortController();
  if (raw.closed) gone.abort();
  else raw.once("close", () => gone.abort());
  return gone.signal;
}

function leaseOf({ messageId, leaseToken }: PulledDelivery): DeliveryLease {
  return { messageId, leaseToken };
}

/** The events are inserted unchanged: JSON payloads stay the text that the device sent. */
function pulledJson(items: readonly PulledDelivery[]): Buffer {
  const parts = items.flatMap(({ messageId, attempt, leaseToken, event }, i) => [
    Buffer.from(`${i === 0 ? "" : ","}${JSON.stringify({ messageId, attempt, leaseToken }).slice(0, -1)},"event":`),
    event,
    Buffer.from("}"),
  ]);
  return Buffer.concat([Buffer.from('{"items":['), ...parts, Buffer.from("]}")]);
}
