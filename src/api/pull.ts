/** Handlers for consumers of pull webhooks. */
import type { Refused } from "../errors.ts";
import type { Handlers, OperationRequest } from "../http/contract/index.ts";
import { Problem, unwrap } from "../http/problem.ts";
import type { Caller } from "../keys/caller.ts";
import type { Pulls } from "../uplink/pull/pulls.ts";
import type { PulledDelivery } from "../uplink/pull/take.ts";
import { mayReadContent } from "../webhooks/access.ts";
import { isPull, type Webhook } from "../webhooks/webhook.ts";

export interface PullPorts {
  webhooks: {
    /** Refused also if the caller may not see the webhook. */
    readable(id: string, caller: Caller): Promise<Webhook | Refused>;
  };
  pulls: Pick<Pulls, "pull" | "ack" | "nack">;
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
      const { max, waitSeconds, leaseSeconds } = {
        ...DEFAULTS,
        ...(request.body as Partial<typeof DEFAULTS> | undefined),
      };
      const webhook = await pullable(request);
      const gone = new AbortController();
      reply.raw.once("close", () => gone.abort());
      const items = await pulls.pull(webhook, {
        ...{ max, waitMs: waitSeconds * 1_000, leaseMs: leaseSeconds * 1_000, signal: gone.signal },
        mayRead: (content) => mayReadContent(content, request.caller),
      });
      reply.type("application/json; charset=utf-8");
      return reply.send(pulledJson(unwrap(items)));
    },
    ackDeliveries: async (request) => {
      const { items } = request.body;
      const unknown = await pulls.ack(await pullable(request), items);
      return { acked: items.length - unknown.length, unknown };
    },
    nackDeliveries: async (request) => {
      const { items, delaySeconds = 0 } = request.body;
      const unknown = await pulls.nack(await pullable(request), items, delaySeconds * 1_000);
      return { nacked: items.length - unknown.length, unknown };
    },
  } satisfies Partial<Handlers>;
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
