/**
 * Delivers each message once to each client.
 *
 * - Aedes takes a message with a lower counter than the last one for a copy from an overlapping filter and drops it. But
 *   messages are stored concurrently, so they do not always arrive in counter order: at 100 a second about one in fifty
 *   was dropped, and sent only when the client reconnected. Here the last messages of a client are remembered one by one.
 * - A message that is published while a client connects is delivered directly, and again from the session's queue, with
 *   another packet identifier: at QoS 2 too, it arrived twice.
 * - Aedes restores the subscriptions of a session before it sends CONNACK, which must be the first packet
 *   [MQTT-3.2.0-1]: clients ignored what was published in between. Here it waits in the session's queue.
 */
import { Readable } from "node:stream";
import type { Aedes, Client } from "aedes";
import type { SqlitePersistence } from "./sqlite-persistence.ts";

/** Copies of a message arrive within about one turn of the event loop; so many others may arrive between them. */
const REMEMBERED = 1_024;

interface Delivered {
  cmd?: string;
  brokerId?: string;
  brokerCounter?: number;
}
type DeliverPacket = (packet: Delivered, done: () => void) => void;

const keyOf = ({ brokerId, brokerCounter }: Delivered) => `${brokerId}:${brokerCounter}`;

/** The messages delivered to one connection. */
class ConnectionDeliveries {
  /** Whether CONNACK is sent. */
  #isOpen = false;
  /** The message that Aedes is about to deliver. */
  #current: Delivered = {};
  readonly #seen = new Set<string>();
  /** Delivered directly while the session's queue may contain them too; until the queue is sent. */
  #direct: Set<string> | undefined = new Set();
  /** Highest counter in the queue. */
  #lastQueued = Number.POSITIVE_INFINITY;

  /** Aedes reads the last counter of a broker here, and drops the message unless that is lower than its own. */
  readonly duplicates = new Proxy(Object.create(null) as object, {
    get: () => (this.#seen.has(keyOf(this.#current)) ? Number.POSITIVE_INFINITY : 0),
    set: () => {
      const key = keyOf(this.#current);
      this.#see(key);
      if (this.#current.brokerCounter! <= this.#lastQueued) this.#direct?.add(key);
      return true;
    },
  });

  before(deliver: DeliverPacket): DeliverPacket {
    return (packet, done) => {
      if (!this.#isOpen) return void setImmediate(done);
      this.#current = packet;
      deliver(packet, done);
    };
  }

  /**
   * Call after CONNACK. Returns the packets of the queue that were not delivered directly.
   *
   * @param counter the broker's last one
   */
  queue(packets: AsyncIterable<Delivered>, counter: () => number): Readable {
    this.#isOpen = true;
    return Readable.from(this.#queued(packets, counter));
  }

  async *#queued(packets: AsyncIterable<Delivered>, counter: () => number): AsyncGenerator<Delivered> {
    for await (const packet of packets) {
      if (this.#lastQueued === Number.POSITIVE_INFINITY) this.#lastQueued = counter();
      if (packet.cmd !== "pubrel") {
        const key = keyOf(packet);
        if (this.#direct?.has(key)) continue;
        this.#see(key);
      }
      yield packet;
    }
    this.#direct = undefined;
  }

  #see(key: string): void {
    this.#seen.add(key);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
  }
}

const deliveriesOf = new WeakMap<object, ConnectionDeliveries>();

/** Call at CONNECT, before the client's subscriptions are set up. */
export function deduplicateDeliveries(client: Client): void {
  const internals = client as unknown as { duplicates: object; deliver0: DeliverPacket; deliverQoS: DeliverPacket };
  const deliveries = new ConnectionDeliveries();
  deliveriesOf.set(client, deliveries);
  internals.duplicates = deliveries.duplicates;
  internals.deliver0 = deliveries.before(internals.deliver0);
  internals.deliverQoS = deliveries.before(internals.deliverQoS);
}

/** Leaves out of the queues what {@link deduplicateDeliveries} has seen. */
export function deduplicateQueues(aedes: Aedes, persistence: SqlitePersistence): void {
  const counter = () => (aedes as unknown as { counter: number }).counter;
  const stream = persistence.outgoingStream.bind(persistence);
  persistence.outgoingStream = (client) => {
    const packets = stream(client);
    const deliveries = deliveriesOf.get(client);
    return deliveries ? deliveries.queue(packets, counter) : packets;
  };
}
