/** Handlers for single deliveries and for replays. */

import type { Refused } from "../errors.ts";
import type { Handlers } from "../http/contract/index.ts";
import { unwrap } from "../http/problem.ts";
import type { Caller } from "../keys/caller.ts";
import type { Delivery, DeliveryDetail } from "../uplink/queue/delivery-queries.ts";
import type { Replays } from "../uplink/queue/replay-runner.ts";

export interface DeliveryPorts {
  webhooks: {
    /** Refused also if the caller may not see the webhook. */
    readable(id: string, caller: Caller): Promise<object | Refused>;
    /** Refused likewise, and if the caller may not publish the webhook's replies. */
    usable(id: string, caller: Caller): Promise<object | Refused>;
  };
  deliveries: {
    get(webhookId: string, messageId: string): Promise<DeliveryDetail>;
    retry(webhookId: string, messageId: string): Promise<Delivery>;
  };
  replays: Pick<Replays, "begin" | "get" | "cancel">;
}

type DeliveryOperation = "getDelivery" | "retryDelivery" | "replayDeliveries" | "getReplay" | "cancelReplay";

export function deliveryHandlers({ webhooks, deliveries, replays }: DeliveryPorts): Pick<Handlers, DeliveryOperation> {
  return {
    getDelivery: async ({ params: { id, messageId }, caller }) => {
      unwrap(await webhooks.readable(id, caller));
      return deliveries.get(id, messageId);
    },
    retryDelivery: async ({ params: { id, messageId }, caller }, reply) => {
      unwrap(await webhooks.usable(id, caller));
      reply.code(202);
      return deliveries.retry(id, messageId);
    },
    replayDeliveries: async ({ params: { id }, body, caller }, reply) => {
      unwrap(await webhooks.usable(id, caller));
      const replay = await replays.begin(id, body);
      reply.code(202).header("location", `/v1/webhooks/${id}/replays/${replay.id}`);
      return replay;
    },
    getReplay: async ({ params: { id, replayId }, caller }) => {
      unwrap(await webhooks.readable(id, caller));
      return replays.get(id, replayId);
    },
    cancelReplay: async ({ params: { id, replayId }, caller }) => {
      unwrap(await webhooks.readable(id, caller));
      await replays.cancel(id, replayId);
      return undefined;
    },
  };
}
