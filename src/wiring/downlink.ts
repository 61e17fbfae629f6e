/** HTTP → MQTT: publishing, reading retained messages, the outbox and asynchronous requests. */

import { AsyncRequests, RESPONSES_GATE, type RequestRecord } from "../downlink/async-requests.ts";
import { createOutbox } from "../downlink/outbox.ts";
import type { OutgoingMessage, PublishResult } from "../downlink/publish.ts";
import { ShutForGood } from "../downlink/stored-publish.ts";
import { protocolName } from "../mqtt/client/connection.ts";
import { Publisher } from "../mqtt/client/publisher.ts";
import { retainedFinder } from "../mqtt/client/retained-finder.ts";
import { retainedReader } from "../mqtt/client/retained-reader.ts";
import { RecordCache } from "../store/record-cache.ts";
import { type Components, STOP_MS } from "./components.ts";

/** How long a gate of the outbox waits for a subscription before the outbox checks its message again. */
const GATE_MS = 5_000;

/** Port to the uplink: subscriptions for the responses of devices. */
export interface ResponseTopics {
  /** Whether all wanted subscriptions are active; false after `timeoutMs`. */
  untilInStep(timeoutMs: number): Promise<boolean>;
  /** Filters whose subscription the broker refused, with the reason. */
  refused(): ReadonlyMap<string, string>;
  /** Called when the response topics have changed. */
  refresh(): void;
}

export type DownlinkParts = ReturnType<typeof wireDownlink>;

export function wireDownlink(parts: Components, answers: ResponseTopics) {
  const { config, runs, log, store, broker, embedded, observer, suffix, onStop } = parts;
  const { clientId } = config.mqtt;
  const publisher = new Publisher({ broker, clientId: `${clientId}-publish-${suffix}`, log, idle: !runs.connection });
  onStop("publisher", () => publisher.close());
  const { connection } = publisher;
  const protocol = () => protocolName(connection.protocol);
  const outage = () => (connection.connected ? undefined : (connection.lastError ?? "not connected yet"));
  const reader = retainedReader({ broker, clientId: `${clientId}-read-${suffix}`, log, outage, protocol });
  onStop("reader", () => reader.close());
  const finder = retainedFinder({ broker, clientId: `${clientId}-list-${suffix}`, log, outage, protocol });

  const publish = (message: OutgoingMessage): Promise<PublishResult> => {
    const startedAt = performance.now();
    return publisher.publish(message).then((result) => {
      observer.published(message, result, startedAt);
      return result;
    });
  };

  const outbox = createOutbox({
    openQueue: (name) => store.queues.queue(name),
    openWorker: (name, processor, options) => store.queues.worker(name, processor, options),
    exclusive: store.kind === "embedded",
    publish,
    broker: {
      connected: () => connection.connected,
      untilConnected: (signal) => connection.untilConnected(signal),
    },
    gates: {
      [RESPONSES_GATE]: async ({ id }) => {
        // The subscriptions follow this instance's record cache, and another instance may have accepted the request.
        await storedRequests.ensureCached(id);
        if (!(await answers.untilInStep(GATE_MS)))
          throw new Error("the subscription for the answer does not stand yet");
        const filter = storedRequests.filterOf(id);
        const reason = filter !== undefined ? answers.refused().get(filter) : undefined;
        if (reason !== undefined) throw new ShutForGood(`no answer could arrive at ${filter}: ${reason}`);
      },
    },
    onAccepted: observer.accepted,
    onFailed: async ({ id }, { at, error, sent = false }) => {
      if (id.startsWith("req_")) await storedRequests.failed(id, { at, error, sent });
    },
    onTrouble: (_message, error) => observer.partFailed("outbox", new Error(error)),
  });
  onStop("outbox", () => outbox.stop(), STOP_MS.outbox);

  const requestView = new RecordCache(store.records<RequestRecord>("requests"), log, "request");
  const storedRequests = new AsyncRequests({
    cache: requestView,
    responses: store.records("responses"),
    accept: outbox.accept,
    withdraw: outbox.withdraw,
    onTopics: () => answers.refresh(),
    onLate: observer.lateAnswer,
    onSetAside: observer.requestSetAside,
    maxPending: config.maxPendingRequests,
  });

  return {
    publisher,
    publish,
    outage,
    protocol,
    readRetained: embedded ? embedded.retained : reader.read,
    readSeveral: embedded ? embedded.readSeveral : reader.readSeveral,
    findRetained: embedded ? embedded.findRetained : finder,
    outbox,
    requestView,
    storedRequests,
  };
}
