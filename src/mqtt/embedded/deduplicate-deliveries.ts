/**
 * Delivers each message once to each client, in whatever order messages arrive. Aedes takes a message with a lower
 * counter than the last one for a copy from an overlapping filter and drops it. But messages are stored concurrently,
 * so they do not always arrive in counter order: at 100 a second about one in fifty was dropped, and sent only when the
 * client reconnected. Here the last messages of a client are remembered one by one.
 */
import type { Client } from "aedes";

/** Copies of a message arrive within about one turn of the event loop; so many others may arrive between them. */
const REMEMBERED = 1_024;

interface Delivered {
  brokerId?: string;
  brokerCounter?: number;
}
type DeliverPacket = (packet: Delivered, done: () => void) => void;

/** Call at CONNECT, before the client's subscriptions are set up. */
export function deduplicateDeliveries(client: Client): void {
  const internals = client as unknown as { duplicates: object; deliver0: DeliverPacket; deliverQoS: DeliverPacket };
  const seen = new Set<string>();
  let current = "";
  /** Aedes reads the last counter of a broker here, and drops the message unless that is lower than its own. */
  internals.duplicates = new Proxy(Object.create(null) as object, {
    get: () => (seen.has(current) ? Number.POSITIVE_INFINITY : 0),
    set: () => {
      seen.add(current);
      if (seen.size > REMEMBERED) seen.delete(seen.values().next().value!);
      return true;
    },
  });
  const knowing =
    (deliver: DeliverPacket): DeliverPacket =>
    (packet, done) => {
      current = `${packet.brokerId}:${packet.brokerCounter}`;
      deliver(packet, done);
    };
  internals.deliver0 = knowing(internals.deliver0);
  internals.deliverQoS = knowing(internals.deliverQoS);
}
