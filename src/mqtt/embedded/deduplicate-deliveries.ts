/**
 * Each message once to each client, whatever order it comes in. Aedes takes a message with a lower counter than the last
 * one for a copy on an overlapping filter and drops it; but messages are stored side by side, so that they do not
 * always come in the order of their counters: about one in fifty was dropped at 100 a second, and only sent when the
 * client connected again. Here the last messages of a client are remembered one by one.
 */
import type { Client } from "aedes";

/** Copies of one message come in one turn of the event loop, or nearly; so many others may come between them. */
const REMEMBERED = 1_024;

interface Delivered {
  brokerId?: string;
  brokerCounter?: number;
}
type Deliver = (packet: Delivered, done: () => void) => void;

/** Call at CONNECT, before the client's subscriptions are made. */
export function deduplicateDeliveries(client: Client): void {
  const internals = client as unknown as { duplicates: object; deliver0: Deliver; deliverQoS: Deliver };
  const seen = new Set<string>();
  let current = "";
  /** Aedes asks for the last counter of a broker, and drops the message unless that is lower than its own. */
  internals.duplicates = new Proxy(Object.create(null) as object, {
    get: () => (seen.has(current) ? Number.POSITIVE_INFINITY : 0),
    set: () => {
      seen.add(current);
      if (seen.size > REMEMBERED) seen.delete(seen.values().next().value!);
      return true;
    },
  });
  const knowing =
    (deliver: Deliver): Deliver =>
    (packet, done) => {
      current = `${packet.brokerId}:${packet.brokerCounter}`;
      deliver(packet, done);
    };
  internals.deliver0 = knowing(internals.deliver0);
  internals.deliverQoS = knowing(internals.deliverQoS);
}
