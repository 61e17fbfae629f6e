/** Deliveries at rest: the queues between receiving and delivering. */
import { backoff } from "../uplink/deliver/job-outcome.ts";
import { GroupAppender } from "../uplink/ordering/group-append.ts";
import { isOrdered } from "../uplink/ordering/message-groups.ts";
import { Deliveries } from "../uplink/queue/deliveries.ts";
import { DeliveryQueues } from "../uplink/queue/delivery-queues.ts";
import { LEASE_OPTIONS } from "../uplink/queue/leases.ts";
import { OrphanedQueues } from "../uplink/queue/orphaned-queues.ts";
import { Retention } from "../uplink/queue/retention/retention.ts";
import { createAcquire } from "../uplink/queue/retention/retention-lease.ts";
import { isPull } from "../webhooks/webhook.ts";
import type { Infrastructure } from "./infrastructure.ts";

/** A pull webhook has no worker, so its queue has the options of one. */
const QUEUE_OPTIONS = { ...LEASE_OPTIONS, settings: { backoffStrategy: backoff } } as object;

export type QueueParts = ReturnType<typeof wireQueues>;

export function wireQueues({ config, store, registry, observer }: Infrastructure) {
  const queues = new DeliveryQueues({
    openQueue: (name) => store.queues.queue(name, QUEUE_OPTIONS),
    counters: store.counters,
    ledgers: store.ledgers,
    index: store.deliveryIndex,
  });
  const groups = new GroupAppender({
    webhooks: registry,
    queues,
    tails: store.expiringKeys,
  });
  const retention = new Retention({
    webhooks: () => registry.all().map(({ id }) => id),
    queueOf: (webhookId) => (registry.get(webhookId) ? queues.of(webhookId) : undefined),
    isOrdered: (webhookId) => isOrdered(registry.get(webhookId)),
    acquire: createAcquire(store.leases),
    discarded: observer.discarded,
    onFailed: (error) => observer.partFailed("retention", error),
    maxWaiting: config.maxWaitingDeliveries,
  });
  queues.onAdded(retention.changed.bind(retention));
  const orphanedQueues = new OrphanedQueues({
    queued: () => queues.webhooks(),
    isKnown: (webhookId) => registry.get(webhookId) !== undefined,
    isStored: async (webhookId) => (await store.records("webhooks").get(webhookId)) !== undefined,
    drop: (webhookId) => queues.drop(webhookId),
    onFailed: (error) => observer.partFailed("books", error),
  });
  const deliveries = new Deliveries(queues, (webhookId) => isPull(registry.get(webhookId) ?? {}));
  return { queues, groups, retention, orphanedQueues, deliveries };
}
