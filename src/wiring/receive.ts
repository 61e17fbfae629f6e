/** Receiving: election of the receiver, its sessions at the broker, and the way of a message into the queues. */
import { PendingRequests } from "../downlink/pending-requests.ts";
import type { RequestRecord } from "../downlink/request-record.ts";
import { SubscriberSession } from "../mqtt/receive/session.ts";
import { Lease } from "../store/lease.ts";
import { RecordCache } from "../store/record-cache.ts";
import { BirthMemory, type SparkplugSource } from "../uplink/formats/birth-memory.ts";
import { BirthWriter } from "../uplink/formats/birth-writer.ts";
import { Destinations } from "../uplink/receive/destinations.ts";
import { Enqueuer } from "../uplink/receive/enqueuer.ts";
import { createIntake } from "../uplink/receive/intake.ts";
import { MessageLedger } from "../uplink/receive/message-ledger.ts";
import { Receiver } from "../uplink/receive/receiver.ts";
import { RECEIVER, ReceiverElection, type ReceiverRecord, type Term } from "../uplink/receive/receiver-election.ts";
import { Snapshots } from "../uplink/receive/retained-delivery.ts";
import { Subscriptions } from "../uplink/receive/subscriptions.ts";
import type { BrokerAccess } from "./broker.ts";
import type { Infrastructure } from "./infrastructure.ts";
import type { QueueParts } from "./queues.ts";

/** Limits of received messages that are not yet durable: about ten flushes, and within a small machine's memory. */
export const RECEIVE_LIMITS = { maxPending: 5_000, maxPendingBytes: 64 * 1024 * 1024 };

export type ReceiveParts = ReturnType<typeof wireReceive>;

export function wireReceive(
  infrastructure: Infrastructure,
  brokerAccess: BrokerAccess,
  { queues, groups }: QueueParts,
) {
  const { config, runs, log, instance, store, broker, registry, observer } = infrastructure;
  const { maxPayloadBytes } = config;
  const subscriptionsFailed = (error: Error) => observer.partFailed("subscriptions", error);

  // The topics to receive: those of the webhooks and of the responses to stored requests.
  const requestCache = new RecordCache(store.records<RequestRecord>("requests"), log, "request");
  const responses = store.records<never>("responses");
  const pending = new PendingRequests({ cache: requestCache, responses, onSetAside: observer.requestSetAside });
  const destinations = new Destinations({ webhooks: registry, responses: pending, observe: observer });
  const ledger = new MessageLedger({
    counters: store.counters,
    onFailed: (error) => observer.partFailed("books", error),
  });

  const memory = new BirthMemory(store.records<SparkplugSource>("sparkplug"));

  /** The parts of one term: they keep nothing that a later term could mistake for its own. */
  function openReceiver({ lease, onChange }: Term): Receiver<SubscriberSession> {
    const births = new BirthWriter({ memory, webhooks: registry });
    const enqueuer = new Enqueuer({ deliveries: groups, ledger, destinations, births, lease, observe: observer });
    const subscriptions = new Subscriptions<SubscriberSession>({
      webhooks: () => destinations.all(),
      records: store.records("subscriptions"),
      onError: subscriptionsFailed,
      onChange,
      openSession: ({ index, onConnect, onSettled, onUnsubscribed, onClose }, router) => {
        const clientId = `${config.mqtt.clientId}-uplink-${index}`;
        const mayWrite = () => lease.confirm();
        const onFailed = (error: Error) => observer.partFailed("enqueue", error);
        return new SubscriberSession({
          ...{ broker, clientId, name: "uplink", persistent: true, limits: RECEIVE_LIMITS, log },
          ...{ onConnect, onSettled, onUnsubscribed, onClose },
          incoming: { entries: store.incoming(clientId), mayWrite, onFailed },
          receive: createIntake({ session: index, router, enqueuer, ledger, observe: observer, maxPayloadBytes }),
          known: brokerAccess.protocol,
          mayConnect: () => lease.isValid,
        });
      },
    });
    return new Receiver({ subscriptions, enqueuer, caches: [registry, pending], onError: subscriptionsFailed });
  }

  const receivers = new RecordCache(store.records<ReceiverRecord>("lanes"), log, "lane");
  const election = new ReceiverElection<SubscriberSession>({
    openLease: ({ onGained, onLost }) =>
      new Lease({
        ...{ leases: store.leases, name: `lane-${RECEIVER}`, holder: instance, watchOnly: !runs.receiver },
        ...{ onGained, onLost, onError: (error) => observer.partFailed("lease", error) },
      }),
    cache: receivers,
    wanted: () => destinations.all(),
    openReceiver,
    onError: subscriptionsFailed,
  });
  pending.onTopics(() => election.refresh());

  const snapshots = new Snapshots({
    webhooks: registry,
    findRetained: brokerAccess.findRetained,
    readSeveral: brokerAccess.readSeveral,
    subscriptions: election,
    deliveries: queues,
    ledger,
    done: async (id) => void (await registry.update(id, (webhook) => ({ ...webhook, snapshot: "done" }))),
    expiringKeys: store.expiringKeys,
    maxPayloadBytes,
    observe: observer,
  });
  return { requestCache, pending, ledger, receivers, election, snapshots };
}
