/** HTTP → MQTT, for later: the outbox and asynchronous requests. An immediate publish needs the broker access only. */
import { AsyncRequests, type StoredResponse } from "../downlink/async-requests.ts";
import { Outbox } from "../downlink/outbox.ts";
import { createResponseGate, RESPONSES_GATE } from "../downlink/response-gate.ts";
import { ResponseWorker } from "../downlink/response-worker.ts";
import { RESPONSES_QUEUE } from "../uplink/receive/destinations.ts";
import type { BrokerAccess } from "./broker.ts";
import type { Infrastructure } from "./infrastructure.ts";
import type { ReceiveParts } from "./receive.ts";

export type DownlinkParts = ReturnType<typeof wireDownlink>;

export function wireDownlink(
  { config, store, observer }: Infrastructure,
  { publish, publisher }: BrokerAccess,
  { requestCache, pending, election }: ReceiveParts,
) {
  const outbox = new Outbox({
    openQueue: (name) => store.queues.queue(name),
    openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
    exclusive: store.kind === "embedded",
    publish,
    broker: publisher.connection,
    gates: { [RESPONSES_GATE]: createResponseGate({ requests: pending, subscriptions: election }) },
    onAccepted: observer.accepted,
    onFailed: (message, failed) => pending.failed(message, failed),
    onTrouble: (_message, error) => observer.partFailed("outbox", new Error(error)),
  });
  const asyncRequests = new AsyncRequests({
    cache: requestCache,
    pending,
    responses: store.records<StoredResponse>("responses"),
    outbox,
    onLate: observer.lateAnswer,
    maxPending: config.maxPendingRequests,
  });
  const responseWorker = new ResponseWorker({
    openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
    queue: RESPONSES_QUEUE,
    requests: asyncRequests,
  });
  return { outbox, asyncRequests, responseWorker };
}
