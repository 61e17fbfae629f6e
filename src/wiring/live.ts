/** Messages that only this instance receives: for streams and for synchronous requests. */
import { LiveSubscriptions } from "../live/live-subscriptions.ts";
import { Streams } from "../live/sse.ts";
import { SyncRequests } from "../live/sync-requests.ts";
import { SubscriberSession } from "../mqtt/receive/session.ts";
import type { BrokerAccess } from "./broker.ts";
import type { Infrastructure } from "./infrastructure.ts";
import { RECEIVE_LIMITS } from "./receive.ts";

export type LiveParts = ReturnType<typeof wireLive>;

export function wireLive(
  { config, log, broker, observer, suffix }: Infrastructure,
  { outage, protocol, publish }: BrokerAccess,
) {
  const feed = new LiveSubscriptions<SubscriberSession>({
    outage,
    openSession: ({ index, onConnect, onSettled, onUnsubscribed, onClose }, receive) =>
      new SubscriberSession({
        ...{ broker, clientId: `${config.mqtt.clientId}-live-${suffix}-${index}`, name: "live", persistent: false },
        ...{ onConnect, onSettled, onUnsubscribed, onClose },
        ...{ receive, limits: RECEIVE_LIMITS, log, known: protocol },
      }),
    onError: (error) => observer.partFailed("subscriptions", error),
  });
  const listen = feed.listen.bind(feed);
  const streams = new Streams({ listen, eventSource: config.eventSource, onDropped: observer.streamDropped });
  const { maxPendingRequests: maxPending } = config;
  const syncRequests = new SyncRequests({ publish, listen, maxPending, onLate: observer.lateAnswer });
  return { feed, streams, syncRequests };
}
