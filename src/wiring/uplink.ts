/** MQTT → HTTP: receiving, calling webhooks, and tracking their health. */

import { SubscriberSession } from "../mqtt/receive/session.ts";
import { Lease } from "../store/lease.ts";
import { RecordCache } from "../store/record-cache.ts";
import { createAuthorizedSend } from "../uplink/egress/authorization.ts";
import { createSenders } from "../uplink/egress/client-pool.ts";
import { createAddressGuard } from "../uplink/egress/ssrf-guard.ts";
import { createPrepare } from "../uplink/expressions/apply.ts";
import { createSandbox } from "../uplink/expressions/sandbox.ts";
import type { BreakerPolicy, EndpointRecord } from "../uplink/health/circuit-breaker.ts";
import { Ordered } from "../uplink/ordering/ordered.ts";
import { queueName } from "../uplink/queue/job.ts";
import { Replays } from "../uplink/queue/replay-runner.ts";
import { RECEIVER, type ReceiverRecord } from "../uplink/receive/receiver-election.ts";
import { Snapshots } from "../uplink/receive/retained-delivery.ts";
import { createUplink } from "../uplink/uplink.ts";
import { type Components, RECEIVE_LIMITS, STOP_MS } from "./components.ts";
import type { DownlinkParts } from "./downlink.ts";

export function wireUplink(parts: Components, downlink: DownlinkParts, breaker: BreakerPolicy) {
  const { config, runs, log, store, broker, registry, observer, onStop } = parts;
  const { eventSource, maxPayloadBytes } = config;
  const guard = createAddressGuard({ allow: config.webhookAllowNetworks });
  const senders = createSenders({ guard });
  onStop("sender", () => senders.close(0));
  const expressions = createSandbox({ maxPayloadBytes });
  onStop("expressions", () => expressions.close());
  const prepare = createPrepare({ expressions, eventSource });

  const openLease = (name: string, watchOnly: boolean) => (callbacks: { onGained(): void; onLost(): void }) =>
    new Lease({
      leases: store.leases,
      name,
      watchOnly,
      holder: parts.instance.name,
      onError: (error) => observer.partFailed("lease", error),
      ...callbacks,
    });
  const receivers = new RecordCache(store.records<ReceiverRecord>("lanes"), log, "lane");
  const endpoints = new RecordCache<EndpointRecord>(
    store.records("endpoints", { evenWithoutMemory: true }),
    log,
    "endpoint",
  );
  const ordered = new Ordered(openLease("ordered", !runs.workers));
  const uplink = createUplink<SubscriberSession>({
    openQueue: (name) => store.queues.queue(name),
    openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
    registry,
    endpoints,
    breaker,
    publishEvent: (event) => downlink.outbox.accept(event),
    assignments: store.records("subscriptions"),
    receivers: receivers,
    openLease: openLease(`lane-${RECEIVER}`, !runs.receiver),
    openSession: ({ index, mayWrite, ...callbacks }, receive) => {
      const clientId = `${config.mqtt.clientId}-uplink-${index}`;
      const onFailed = (error: Error) => observer.partFailed("enqueue", error);
      return new SubscriberSession({
        broker,
        clientId,
        name: "uplink",
        persistent: true,
        limits: RECEIVE_LIMITS,
        incoming: { entries: store.incoming(clientId), mayWrite, onFailed },
        log,
        known: downlink.protocol,
        receive: (packet, done) => receive(packet as Parameters<typeof receive>[0], done),
        ...callbacks,
      });
    },
    send: createAuthorizedSend(senders.send),
    prepare,
    eventSource,
    responseTopics: () => downlink.storedRequests.topics,
    reloadResponseTopics: () => downlink.requestView.reload(),
    acceptReply: async (reply) => void (await downlink.outbox.accept({ ...reply, qos: 1, retain: false })),
    ordered,
    maxPayloadBytes,
    maxWaiting: config.maxWaitingDeliveries,
    expiringKeys: store.expiringKeys,
    leases: store.leases,
    counters: store.counters,
    ledgers: store.ledgers,
    isStored: async (id) => (await store.records("webhooks").get(id)) !== undefined,
    observe: observer,
  });
  const replays = new Replays({
    records: store.records("replays"),
    running: store.records("replays-running"),
    openQueue: (name) => store.queues.queue(name),
    openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
    exists: (webhookId) => registry.get(webhookId) !== undefined,
    openDeliveries: (webhookId) => store.queues.queue(queueName(webhookId)),
    onFailed: (error) => observer.partFailed("replays", error),
  });
  const snapshots = new Snapshots({
    ...uplink,
    webhooks: () => registry.all(),
    findRetained: downlink.findRetained,
    readSeveral: downlink.readSeveral,
    done: async (id) => void (await registry.update(id, (webhook) => ({ ...webhook, snapshot: "done" }))),
    expiringKeys: store.expiringKeys,
    maxPayloadBytes,
    observe: observer,
  });

  /** Starts all parts. Rejects if the store is unavailable. */
  async function start(): Promise<void> {
    await Promise.all([registry.start(), receivers.start(), endpoints.start()]);
    onStop("views", () => Promise.all([registry, receivers, endpoints].map((view) => view.stop())));
    onStop("ordered", () => ordered.stop());
    onStop("queues", () => uplink.close());
    // Closed in parallel: an unresponsive store or broker must not use up the time of the calls in progress.
    onStop("flow", () => Promise.all([uplink.stopIntake(), uplink.stopWorkers()]), STOP_MS.flow);
    await uplink.start(runs);
    if (runs.workers) await ordered.start();
    if (runs.snapshots) {
      registry.onChange(() => snapshots.refresh());
      snapshots.refresh();
      onStop("snapshots", async () => snapshots.stop());
    }
    replays.start(runs.replays);
    onStop("replays", () => replays.stop(), STOP_MS.replays);
  }

  return { uplink, guard, senders, expressions, prepare, replays, start };
}
