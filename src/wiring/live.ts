/** Messages that only this instance receives: for streams and for synchronous requests. */

import { LiveSubscriptions } from "../live/live-subscriptions.ts";
import { Streams } from "../live/sse.ts";
import { SyncRequests } from "../live/sync-requests.ts";
import { SubscriberSession } from "../mqtt/receive/session.ts";
import { type Components, RECEIVE_LIMITS } from "./components.ts";
import type { DownlinkParts } from "./downlink.ts";

export function wireLive(
  parts: Components,
  { outage, protocol, publish }: Pick<DownlinkParts, "outage" | "protocol" | "publish">,
) {
  const { config, log, broker, observer, suffix, onStop } = parts;
  const feed = new LiveSubscriptions<SubscriberSession>({
    outage,
    openSession: ({ index, ...callbacks }, receive) =>
      new SubscriberSession({
        broker,
        clientId: `${config.mqtt.clientId}-live-${suffix}-${index}`,
        name: "live",
        persistent: false,
        limits: RECEIVE_LIMITS,
        log,
        known: protocol,
        receive: (packet, done) => receive(packet as Parameters<typeof receive>[0], done),
        ...callbacks,
      }),
    onError: (error) => observer.partFailed("subscriptions", error),
  });
  onStop("feed", () => feed.close());
  const listen: LiveSubscriptions<SubscriberSession>["listen"] = (topics, onMessage) => feed.listen(topics, onMessage);
  return {
    streams: new Streams({ listen, eventSource: config.eventSource, onDropped: observer.streamDropped }),
    requests: new SyncRequests({
      publish,
      listen,
      maxPending: config.maxPendingRequests,
      onLate: observer.lateAnswer,
    }),
  };
}
