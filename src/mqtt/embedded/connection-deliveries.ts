/**
 * Delivers each message once to each connection, after CONNACK and in order.
 *
 * - Aedes takes a message with a lower counter than the last one for a copy from an overlapping filter and drops it. But
 *   messages are stored concurrently, so they do not always arrive in counter order: at 100 a second about one in fifty
 *   was dropped, and sent only when the client reconnected. Here the last messages of a client are remembered one by one.
 * - Aedes restores the subscriptions of a session before it sends CONNACK, which must be the first packet
 *   [MQTT-3.2.0-1], and then the session's queue, while new messages overtake those in it [MQTT-4.6.0-6] and come again
 *   from it, with another packet identifier: at QoS 2 too, they arrived twice. Here a session gets its queue first. New
 *   messages wait in it or, during its last part, in memory.
 */
import { Readable } from "node:stream";
import type { Client } from "aedes";
import type { SqlitePersistence } from "./sqlite-persistence.ts";

/** Copies of a message arrive within about one turn of the event loop; so many others may arrive between them. */
const REMEMBERED = 1_024;
/** The part of a queue after one so short is its last: little can have been stored since. */
const SHORT = 50;

interface Delivered {
  cmd?: string;
  qos?: number;
  brokerId?: string | null;
  brokerCounter?: number;
}
type DeliverPacket = (packet: Delivered, done: () => void) => void;

/** The stored messages of a session. */
interface Queue {
  /** Returns the newest place in the queue after another one, 0 if there is none. */
  newest(after: number): Promise<number>;
  between(after: number, until: number): AsyncIterable<Delivered>;
  /** Its last part is about to be read: later messages need not be in it. */
  onLastPart(): void;
}

const keyOf = ({ brokerId, brokerCounter }: Delivered) => `${brokerId}:${brokerCounter}`;

type Phase = "connecting" | "queue" | "last part" | "open" | "closed";

class ConnectionDeliveries {
  #phase: Phase = "connecting";
  /** The message that Aedes is about to deliver. */
  #current: Delivered = {};
  readonly #seen = new Set<string>();
  /** Messages of the queue that Aedes has yet to send. */
  readonly #unsent = new Set<string>();
  #onSent = () => {};
  /** Deliveries that wait for the last part of the queue. */
  #waiting: { deliver(): void; done(): void }[] = [];

  /** Aedes reads the last counter of a broker here, and drops the message unless that is lower than its own. */
  readonly duplicates = new Proxy(Object.create(null) as object, {
    get: () => (this.#seen.has(keyOf(this.#current)) ? Number.POSITIVE_INFINITY : 0),
    set: () => {
      this.#see(keyOf(this.#current));
      return true;
    },
  });

  /** @param isStored whether Aedes stores these messages: those of a clean session or at QoS 0 cannot wait */
  before(deliver: DeliverPacket, isStored: (packet: Delivered) => boolean): DeliverPacket {
    const now: DeliverPacket = (packet, done) => {
      this.#current = packet;
      deliver(packet, done);
    };
    return (packet, done) => {
      if (this.#phase === "connecting" || this.#phase === "closed") setImmediate(done);
      else if (this.#phase === "open" || !isStored(packet)) now(packet, done);
      else if (this.#phase === "queue") setImmediate(done);
      else this.#waiting.push({ deliver: () => now(packet, done), done });
    };
  }

  /** Yields the messages of the queue until a part is short, then one more part; then the connection is open. */
  async *send(queue: Queue): AsyncGenerator<Delivered> {
    this.#phase = "queue";
    for (let after = 0; ; ) {
      const until = await queue.newest(after);
      let size = 0;
      for await (const packet of until > 0 ? queue.between(after, until) : []) {
        size += 1;
        if (packet.cmd !== "pubrel") this.#unsent.add(this.#see(keyOf(packet)));
        yield packet;
      }
      if (this.#unsent.size > 0) await new Promise<void>((resolve) => (this.#onSent = resolve));
      if (this.#phase !== "queue") return this.open();
      if (size <= SHORT) {
        this.#phase = "last part";
        queue.onLastPart();
      }
      after = Math.max(after, until);
    }
  }

  /** Aedes is about to send the packet. */
  sent(packet: Delivered): void {
    if (this.#unsent.delete(keyOf(packet)) && this.#unsent.size === 0) this.#onSent();
  }

  /** Everything is delivered at once from now on. */
  open(): void {
    if (this.#phase !== "closed") this.#phase = "open";
    for (const { deliver, done } of this.#waiting.splice(0)) this.#phase === "open" ? deliver() : done();
  }

  /** The connection has ended: what waits is in the store. */
  close(): void {
    this.#phase = "closed";
    this.#unsent.clear();
    this.#onSent();
    this.open();
  }

  #see(key: string): string {
    this.#seen.add(key);
    if (this.#seen.size > REMEMBERED) this.#seen.delete(this.#seen.values().next().value!);
    return key;
  }
}

const deliveriesOf = new WeakMap<object, ConnectionDeliveries>();

/** Call at CONNECT, before the client's subscriptions are set up. */
export function orderDeliveries(client: Client): void {
  const internals = client as unknown as { duplicates: object; deliver0: DeliverPacket; deliverQoS: DeliverPacket };
  const deliveries = new ConnectionDeliveries();
  deliveriesOf.set(client, deliveries);
  client.conn.once("close", () => deliveries.close());
  internals.duplicates = deliveries.duplicates;
  internals.deliver0 = deliveries.before(internals.deliver0, () => false);
  // A retained message for a new subscription has no broker id, and is not stored.
  internals.deliverQoS = deliveries.before(internals.deliverQoS, ({ qos, brokerId }) => qos !== 0 && Boolean(brokerId));
}

/** Has Aedes send the queues as {@link ConnectionDeliveries.send} yields them. */
export function orderQueues(persistence: SqlitePersistence, isOwn: (client: object) => boolean): void {
  const update = persistence.outgoingUpdate.bind(persistence);
  persistence.outgoingUpdate = (client, packet) =>
    update(client, packet).finally(() => deliveriesOf.get(client)?.sent(packet));
  const stream = persistence.outgoingStream.bind(persistence);
  // Aedes calls it after CONNACK.
  persistence.outgoingStream = (client) => {
    const { id, clean } = client as Client;
    const deliveries = deliveriesOf.get(client);
    if (!deliveries || clean) {
      deliveries?.open();
      return stream(client);
    }
    const holds = isOwn(client);
    if (holds) persistence.held.begin(id);
    const queue: Queue = {
      newest: (after) => persistence.newestOutgoing(id, after),
      between: (after, until) => persistence.outgoingBetween(id, after, until),
      onLastPart: () => holds && persistence.held.open(id),
    };
    return Readable.from(deliveries.send(queue));
  };
}
