/** Access to the broker that both flows share: publishing, and reading retained messages. */
import { createObservedPublish } from "../downlink/observed-publish.ts";
import { protocolName } from "../mqtt/client/connection.ts";
import { Publisher } from "../mqtt/client/publisher.ts";
import { retainedFinder } from "../mqtt/client/retained-finder.ts";
import { RetainedReader } from "../mqtt/client/retained-reader.ts";
import type { Infrastructure } from "./infrastructure.ts";

export type BrokerAccess = ReturnType<typeof wireBroker>;

export function wireBroker({ config, runs, log, broker, embedded, observer, suffix }: Infrastructure) {
  const clientId = (purpose: string) => `${config.mqtt.clientId}-${purpose}-${suffix}`;
  const publisher = new Publisher({ broker, clientId: clientId("publish"), log, idle: !runs.connection });
  const { connection } = publisher;
  /** The version in use, so that other connections need not negotiate it. */
  const protocol = () => protocolName(connection.protocol);
  /** Why the broker cannot be used now. */
  const outage = () => (connection.connected ? undefined : (connection.lastError ?? "not connected yet"));
  const reader = new RetainedReader({ broker, clientId: clientId("read"), log, outage, protocol });
  const finder = retainedFinder({ broker, clientId: clientId("list"), log, outage, protocol });
  return {
    publisher,
    publish: createObservedPublish({ publisher, observe: observer }),
    protocol,
    outage,
    reader,
    // The embedded broker reads its own store.
    readRetained: embedded ? embedded.retained : reader.read,
    readSeveral: embedded ? embedded.readSeveral : (topics: string[]) => reader.readSeveral(topics),
    findRetained: embedded ? embedded.findRetained : finder,
  };
}
