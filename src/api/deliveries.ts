/** Handlers for deliveries across webhooks, single deliveries, and replays. */

import type { Refused } from "../errors.ts";
import type { Handlers } from "../http/contract/index.ts";
import { Problem, unwrap } from "../http/problem.ts";
import type { Caller } from "../keys/caller.ts";
import type { InvalidField } from "../uplink/queue/delivery-filter.ts";
import type { DeliveryPage, DeliveryQuery } from "../uplink/queue/lists/delivery-lists.ts";
import type { Delivery, DeliveryDetail } from "../uplink/queue/lists/delivery-queries.ts";
import type { NotRedelivered } from "../uplink/queue/redelivery.ts";
import type { Replays } from "../uplink/queue/replay/replay-runner.ts";
import { detailed, listed, listedPage } from "./delivery-content.ts";
import { noReplay, notRedelivered, requireFields } from "./delivery-problems.ts";

export interface DeliveryPorts {
  webhooks: {
    /** Refused also if the caller may not see the webhook. */
    readable(id: string, caller: Caller): Promise<object | Refused>;
    /** The ids of all webhooks that the caller may see. */
    visible(caller: Caller): string[];
    /** Refused likewise, and if the caller may not publish the webhook's replies. */
    usable(id: string, caller: Caller): Promise<object | Refused>;
  };
  deliveries: {
    listAcross(webhookIds: readonly string[], query: DeliveryQuery): Promise<DeliveryPage | InvalidField>;
    get(webhookId: string, messageId: string): Promise<DeliveryDetail | "not_found">;
    retry(webhookId: string, messageId: string): Promise<Delivery | NotRedelivered>;
  };
  replays: Pick<Replays, "begin" | "count" | "get" | "cancel">;
}

export function deliveryHandlers({ webhooks, deliveries, replays }: DeliveryPorts) {
  return {
    listAllDeliveries: async ({ query: { webhookId, ...query }, caller }) => {
      if (webhookId !== undefined) unwrap(await webhooks.readable(webhookId, caller));
      const webhookIds = webhookId === undefined ? webhooks.visible(caller) : [webhookId];
      return listedPage(requireFields(await deliveries.listAcross(webhookIds, query), "query."), caller);
    },
    getDelivery: async ({ params: { id, messageId }, caller }) => {
      unwrap(await webhooks.readable(id, caller));
      const delivery = await deliveries.get(id, messageId);
      if (delivery === "not_found") throw notRedelivered("not_found", messageId);
      return detailed(delivery, caller);
    },
    retryDelivery: async ({ params: { id, messageId }, caller }, reply) => {
      unwrap(await webhooks.usable(id, caller));
      const delivery = await deliveries.retry(id, messageId);
      if (typeof delivery === "string") throw notRedelivered(delivery, messageId);
      reply.code(202);
      return listed(delivery, caller);
    },
    replayDeliveries: async ({ params: { id }, body: { dryRun, ...input }, caller }, reply) => {
      unwrap(await webhooks.usable(id, caller));
      if (dryRun) return { count: requireFields(await replays.count(id, input)) };
      const replay = requireFields(await replays.begin(id, input));
      if (replay === "other_running") throw new Problem("conflict", "a replay of this webhook is in progress");
      reply.code(202).header("location", `/v1/webhooks/${id}/replays/${replay.id}`);
      return replay;
    },
    getReplay: async ({ params: { id, replayId }, caller }) => {
      unwrap(await webhooks.readable(id, caller));
      const replay = await replays.get(id, replayId);
      if (replay === "not_found") throw noReplay(replayId);
      return replay;
    },
    cancelReplay: async ({ params: { id, replayId }, caller }) => {
      unwrap(await webhooks.readable(id, caller));
      const was = await replays.cancel(id, replayId);
      if (was === "not_found") throw noReplay(replayId);
      if (was !== "running") throw new Problem("conflict", `the replay is already ${was}`);
      return undefined;
    },
  } satisfies Partial<Handlers>;
}
