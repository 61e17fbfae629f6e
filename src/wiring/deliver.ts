/** Delivering: the workers that call webhooks, and everything around a call. */
import { Lease } from "../store/lease.ts";
import { RecordCache } from "../store/record-cache.ts";
import { Workers } from "../uplink/deliver/workers.ts";
import { createAuthorizedSend } from "../uplink/egress/authorization.ts";
import { createSenders } from "../uplink/egress/client-pool.ts";
import { createAddressGuard } from "../uplink/egress/ssrf-guard.ts";
import { EndpointWatch } from "../uplink/events/watch.ts";
import { createPrepare } from "../uplink/expressions/apply.ts";
import { Sandbox } from "../uplink/expressions/sandbox.ts";
import { BirthMemory, type SparkplugSource } from "../uplink/formats/birth-memory.ts";
import { createDecode } from "../uplink/formats/decode.ts";
import type { BreakerPolicy, EndpointRecord } from "../uplink/health/circuit-breaker.ts";
import { Ordered } from "../uplink/ordering/ordered.ts";
import { PulledEnding } from "../uplink/pull/ending.ts";
import { Pulls } from "../uplink/pull/pulls.ts";
import { Taker } from "../uplink/pull/take.ts";
import { queueName } from "../uplink/queue/job.ts";
import { Replays } from "../uplink/queue/replay/replay-runner.ts";
import type { DownlinkParts } from "./downlink.ts";
import type { Infrastructure } from "./infrastructure.ts";
import type { QueueParts } from "./queues.ts";

export type DeliverParts = ReturnType<typeof wireDeliver>;

export function wireDeliver(
  { config, runs, log, instance, store, registry, observer }: Infrastructure,
  { queues, retention }: QueueParts,
  { outbox }: DownlinkParts,
  breaker: BreakerPolicy,
) {
  const { eventSource, maxPayloadBytes } = config;

  // The call: guarded HTTP, and what happens to a payload before: decoding, filters and transforms.
  const guard = createAddressGuard({ allow: config.webhookAllowNetworks });
  const senders = createSenders({ guard });
  const send = createAuthorizedSend(senders.send);
  const expressions = new Sandbox({ maxPayloadBytes });
  const births = new BirthMemory(store.records<SparkplugSource>("sparkplug"));
  const decode = createDecode({ births, maxPayloadBytes });
  const prepare = createPrepare({ decode, expressions, eventSource });

  // The endpoints: their health, and the events about it.
  const endpointRecords = store.records<EndpointRecord>("endpoints", { evenWithoutMemory: true });
  const endpoints = new RecordCache(endpointRecords, log, "endpoint");
  const watch = new EndpointWatch({
    ...{ webhooks: registry, endpoints, breaker, eventSource },
    ...{ queues, outbox, observe: observer },
  });

  const ordered = new Ordered(
    ({ onGained, onLost }) =>
      new Lease({
        ...{ leases: store.leases, name: "ordered", holder: instance, watchOnly: !runs.workers },
        ...{ onGained, onLost, onError: (error) => observer.partFailed("lease", error) },
      }),
  );
  const workers = new Workers({
    webhooks: registry,
    queues,
    openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
    health: watch.health,
    deliver: {
      webhooks: registry,
      prepare,
      health: watch.health,
      call: { send, eventSource, maxPayloadBytes },
      outbox,
      deadLetters: watch,
      observe: observer,
    },
    retention,
    tails: store.expiringKeys,
    ordered,
  });
  const ending = new PulledEnding({
    queues,
    deadLetters: watch,
    retention,
    tails: store.expiringKeys,
    observe: observer,
  });
  const taker = new Taker({ queues, prepare, ending, eventSource });
  const pulls = new Pulls({ webhooks: registry, queues, taker, ending });
  const replays = new Replays({
    records: store.records("replays"),
    running: store.records("replays-running"),
    openQueue: (name) => store.queues.queue(name),
    openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
    exists: (webhookId) => registry.get(webhookId) !== undefined,
    openDeliveries: (webhookId) => store.queues.queue(queueName(webhookId)),
    onFailed: (error) => observer.partFailed("replays", error),
  });
  return { guard, senders, expressions, prepare, endpoints, watch, ordered, workers, pulls, replays };
}
