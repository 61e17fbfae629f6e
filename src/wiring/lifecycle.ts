/**
 * The order of starting and stopping. The parts start from top to bottom and stop from bottom to top, so a part never
 * outlives one that it needs. The limits leave the process time to end by itself: their sum is below 15 s.
 */
import type { Part } from "../process/shutdown.ts";
import type { ApiParts } from "./api.ts";
import type { BrokerAccess } from "./broker.ts";
import type { ConfigurationPart } from "./configuration.ts";
import type { DeliverParts } from "./deliver.ts";
import type { DownlinkParts } from "./downlink.ts";
import type { Infrastructure } from "./infrastructure.ts";
import type { LiveParts } from "./live.ts";
import type { OperationsParts } from "./operations.ts";
import type { QueueParts } from "./queues.ts";
import type { ReceiveParts } from "./receive.ts";
import { followRegistrations } from "./registrations.ts";

/** For one exchange with a server. */
const SHORT_MS = 250;
/** For ending the subscription to change notices: nothing is lost without it. */
const UNSUBSCRIBE_MS = 100;

/** Limits of the parts that {@link openInfrastructure} opens, in this order, before the others exist. */
export const OPENED_MS = {
  instance: SHORT_MS,

  store: SHORT_MS,
  format: UNSUBSCRIBE_MS,
  broker: SHORT_MS,
};

export interface Wired {
  infrastructure: Pick<Infrastructure, "runs" | "registry" | "hooks" | "recorder" | "observer">;
  broker: Pick<BrokerAccess, "publisher" | "reader">;
  queues: Pick<QueueParts, "queues" | "groups" | "retention" | "orphanedQueues">;
  receive: ReceiveParts;
  downlink: Pick<DownlinkParts, "outbox" | "responseWorker">;
  deliver: Omit<DeliverParts, "guard" | "prepare">;
  live: LiveParts;
  operations: Pick<OperationsParts, "canary">;
  api: ApiParts;
  configuration?: ConfigurationPart;
}

export function lifecycle(wired: Wired): Part[] {
  const { infrastructure, broker, queues, receive, downlink, deliver, live, operations, api, configuration } = wired;
  const { runs, registry, hooks, recorder } = infrastructure;
  const { requestCache, pending, receivers, election, ledger, snapshots } = receive;
  const { endpoints, watch, workers, ordered, replays } = deliver;
  const follow = () => followRegistrations(infrastructure, queues, receive, deliver);
  const caches = [registry, receivers, endpoints];
  /** Who may call the API and `/in`: keys and hooks. */
  const callers = [api.keyCache, hooks];
  const startAll = (parts: { start(): unknown }[]) => Promise.all(parts.map((part) => part.start()));
  const stopAll = (parts: { stop(): unknown }[]) => Promise.all(parts.map((part) => part.stop()));

  const parts: (Part | false | undefined)[] = [
    // Last: the others are counted until they end.
    { name: "series", start: () => recorder.start(), stop: () => recorder.stop(), ms: SHORT_MS },
    { name: "publisher", stop: () => broker.publisher.close(), ms: SHORT_MS },
    { name: "reader", stop: () => broker.reader.close(), ms: SHORT_MS },
    // Replies and events are accepted until the calls have ended. It starts to publish further below.
    { name: "outbox", stop: () => downlink.outbox.stop(), ms: 500 },
    { name: "sender", stop: () => deliver.senders.close(0), ms: SHORT_MS },
    { name: "expressions", stop: () => deliver.expressions.close() },
    runs.requests && {
      name: "requests",
      start: () => requestCache.start(),
      stop: () => requestCache.stop(),
      ms: UNSUBSCRIBE_MS,
    },
    runs.requests && { name: "stored_requests", start: () => pending.start(), stop: () => pending.stop() },
    { name: "views", start: () => startAll(caches), stop: () => stopAll(caches), ms: UNSUBSCRIBE_MS },
    { name: "registrations", start: follow },
    // Another instance may take over the ordered webhooks only after the calls have ended.
    { name: "ordered", stop: () => ordered.stop(), ms: SHORT_MS },
    {
      name: "queues",
      start: () => {
        if (runs.workers) watch.start();
        if (runs.retention) queues.retention.start();
        if (runs.retention) queues.orphanedQueues.start();
      },
      stop: async () => {
        await queues.retention.stop();
        await queues.orphanedQueues.stop();
        await watch.stop();
        await queues.queues.closeAll();
      },
      ms: SHORT_MS,
    },
    {
      name: "flow",
      start: async () => {
        if (runs.workers) workers.refresh();
        await election.start();
      },
      // Calls in progress finish; received messages become durable and are acknowledged. In parallel: an unresponsive
      // store or broker must not use up the time of the calls.
      stop: () => Promise.all([election.stop().then(() => ledger.stop()), workers.stop()]),
      ms: 9_000,
    },
    runs.workers && { name: "ordered_election", start: () => ordered.start() },
    runs.snapshots && { name: "snapshots", start: () => snapshots.refresh(), stop: () => snapshots.stop() },
    { name: "replays", start: () => replays.start(runs.replays), stop: () => replays.stop(), ms: 500 },
    // Messages that wait for the subscription to a response can leave once the election runs.
    runs.outbox && { name: "publishing", start: () => downlink.outbox.start() },
    runs.responses && {
      name: "answers",
      start: () => downlink.responseWorker.start(),
      stop: () => downlink.responseWorker.stop(),
      ms: SHORT_MS,
    },
    runs.canary && {
      name: "canary",
      start: () => operations.canary.start(),
      stop: () => operations.canary.stop(),
      ms: SHORT_MS,
    },
    { name: "keys", start: () => startAll(callers), stop: () => stopAll(callers), ms: UNSUBSCRIBE_MS },
    { name: "feed", stop: () => live.feed.close(), ms: SHORT_MS },
    { name: "http", start: () => api.server.start(), stop: () => api.server.stop(), ms: 1_500 },
    configuration && {
      name: "configuration",
      start: () => configuration.start(api.server.url!),
      stop: () => configuration.stop(),
    },
    // First, since the server waits for open responses.
    {
      name: "live",
      stop: () => {
        deliver.pulls.stop();
        live.streams.close();
        live.syncRequests.close();
      },
    },
  ];
  return parts.filter((part) => part !== false && part !== undefined);
}
