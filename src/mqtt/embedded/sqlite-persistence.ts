/**
 * Persistence of Aedes on SQLite: a promise that resolves means on disk. Subscriptions are also kept in memory, because
 * every message looks them up.
 */
import { Readable } from "node:stream";
import { disconnect } from "./disconnect.ts";
import { InFlightMessages } from "./in-flight-messages.ts";
import {
  decode,
  decodeOutgoing,
  decodeWill,
  encode,
  outgoingRow,
  type PersistedMessage,
  publish,
} from "./packet-rows.ts";
import type { OutgoingRow, Received, StoredPacket, SubscriptionRow, WillRow } from "./sqlite-procedures.ts";
import { type ClientSubscription, type SessionSubscription, SubscriptionIndex } from "./subscription-index.ts";

/** Module for the engine that a persistence uses; resolves in dist as well as from the sources. */
export const BROKER_PROCEDURES = new URL(`sqlite-procedures${import.meta.url.slice(-3)}`, import.meta.url);

/** The open file, with {@link BROKER_PROCEDURES}. */
export interface BrokerFile {
  /** Runs a procedure; resolves when its change is on disk. */
  call<R>(procedure: string, ...args: unknown[]): Promise<R>;
}

type Client = { id: string };
type Acknowledgement = Pick<PersistedMessage, "messageId">;
type Will = PersistedMessage & { clientId?: string };

/** No QoS 2 message with this packet identifier waits for its PUBREL. */
export class NoSuchPacketError extends Error {
  override message = "no such packet";
}

/** Rows read at a time; a payload may have more than a megabyte. */
const PAGE = 50;

export class SqlitePersistence {
  readonly #file: BrokerFile;
  readonly #subscriptions = new SubscriptionIndex();
  /** By list: Aedes passes the whole list of a SUBSCRIBE packet once for each filter in it. */
  readonly #subscribing = new WeakMap<object, { id: string; added: Promise<void> }>();
  /** Messages that need not be stored. */
  readonly held = new InFlightMessages<PersistedMessage>((clientId, message) =>
    this.#file.call("mqtt.enqueue", [clientId], outgoingRow(message)),
  );
  #broker: Client | undefined;

  constructor(file: BrokerFile) {
    this.#file = file;
  }

  get broker(): Client | undefined {
    return this.#broker;
  }

  async setup(broker: Client): Promise<void> {
    this.#broker = broker;
    for (const [clientId, topic, options] of await this.#file.call<SubscriptionRow[]>("mqtt.subscriptions")) {
      this.#subscriptions.add(clientId, { topic, ...JSON.parse(options) });
    }
  }

  async storeRetained(message: PersistedMessage): Promise<void> {
    if (message.payload.length === 0) await this.#file.call("mqtt.unretain", message.topic);
    else await this.#file.call("mqtt.retain", message.topic, ...encode(message));
  }

  createRetainedStream(filter: string): Readable {
    return this.createRetainedStreamCombi([filter]);
  }

  createRetainedStreamCombi(filters: string[]): Readable {
    return Readable.from(this.#retained(filters));
  }

  addSubscriptions(client: Client, subscriptions: ClientSubscription[]): Promise<void> {
    const known = this.#subscribing.get(subscriptions);
    if (known?.id === client.id) return known.added;
    const added = this.#addSubscriptions(client, subscriptions);
    this.#subscribing.set(subscriptions, { id: client.id, added });
    return added;
  }

  async #addSubscriptions({ id }: Client, subscriptions: ClientSubscription[]): Promise<void> {
    const rows = subscriptions.map(({ topic, ...options }): SubscriptionRow => [id, topic, JSON.stringify(options)]);
    await this.#file.call("mqtt.subscribe", rows);
    for (const subscription of subscriptions) this.#subscriptions.add(id, subscription);
  }

  async removeSubscriptions({ id }: Client, filters: string[]): Promise<void> {
    await this.#file.call("mqtt.unsubscribe", id, filters);
    for (const filter of filters) this.#subscriptions.remove(id, filter);
  }

  async cleanSubscriptions(client: Client): Promise<void> {
    const filters = this.#subscriptions.byClient(client.id).map(({ topic }) => topic);
    if (filters.length > 0) await this.removeSubscriptions(client, filters);
  }

  async subscriptionsByClient({ id }: Client): Promise<ClientSubscription[]> {
    return this.#subscriptions.byClient(id);
  }

  /** Returns a session several times if several of its filters match. */
  async subscriptionsByTopic(topic: string): Promise<SessionSubscription[]> {
    return this.#subscriptions.byTopic(topic);
  }

  async countOffline(): Promise<{ subsCount: number; clientsCount: number }> {
    return this.#subscriptions.count();
  }

  getClientList(filter: string): Readable {
    return Readable.from(this.#subscriptions.clientsOf(filter));
  }

  async outgoingEnqueue(subscription: { clientId: string }, message: PersistedMessage): Promise<void> {
    await this.outgoingEnqueueCombi([subscription], message);
  }

  /** @param received stored in the same transaction */
  async outgoingEnqueueCombi(
    subscriptions: { clientId: string }[],
    message: PersistedMessage,
    received?: Received,
  ): Promise<void> {
    if (subscriptions.length === 0 && !received) return;
    const clients = subscriptions.map(({ clientId }) => clientId);
    await this.#file.call("mqtt.enqueue", clients, outgoingRow({ ...message, messageId: undefined }), received);
  }

  async outgoingUpdate(client: Client, packet: PersistedMessage): Promise<void> {
    const { id } = client;
    if (packet.cmd === "pubrel") await this.#file.call("mqtt.released", id, packet.messageId);
    else if (this.held.sent(id, packet)) return;
    else if (packet.qos === 2) await this.#file.call("mqtt.sent", id, outgoingRow(packet));
    // A crash that forgets the identifier makes a copy, which QoS 1 allows: the message need not wait for the disk.
    else this.#file.call("mqtt.sentQos1", id, outgoingRow(packet)).catch((error) => disconnect(client, error));
  }

  async outgoingClearMessageId({ id }: Client, { messageId }: Acknowledgement): Promise<object | undefined> {
    if (messageId === undefined || this.held.acknowledged(id, messageId)) return undefined;
    const row = await this.#file.call<OutgoingRow | undefined>("mqtt.acknowledged", id, messageId);
    return row && decodeOutgoing(row, false);
  }

  /** Streams what is stored now. */
  outgoingStream({ id }: Client): Readable {
    const newest = this.newestOutgoing(id, 0);
    newest.catch(() => undefined); // The stream reports it.
    return Readable.from(this.#outgoing(id, newest));
  }

  /** Returns the place of the newest message in a session's queue that is after another one, 0 if there is none. */
  newestOutgoing(clientId: string, after: number): Promise<number> {
    return this.#file.call("mqtt.newestOutgoing", clientId, after);
  }

  /** The messages of a part of a queue, by the broker's counter. */
  async *outgoingBetween(clientId: string, after: number, until: number): AsyncGenerator<object> {
    let [brokerId, counter] = ["", 0];
    for (;;) {
      const place = [after, until, brokerId, counter, PAGE];
      const rows = await this.#file.call<OutgoingRow[]>("mqtt.outgoing", clientId, ...place);
      for (const row of rows) yield decodeOutgoing(row);
      if (rows.length < PAGE) return;
      [brokerId, counter] = rows.at(-1)!;
    }
  }

  async incomingStorePacket({ id }: Client, message: PersistedMessage): Promise<void> {
    const { messageId } = message;
    await this.#file.call("mqtt.storeIncoming", id, messageId, ...encode({ ...publish(message), messageId }));
  }

  async incomingGetPacket({ id }: Client, { messageId }: Acknowledgement): Promise<object> {
    const packet = await this.#file.call<StoredPacket | undefined>("mqtt.incoming", id, messageId);
    if (!packet) throw new NoSuchPacketError();
    return decode(packet);
  }

  async incomingDelPacket({ id }: Client, { messageId }: Acknowledgement): Promise<void> {
    await this.#file.call("mqtt.deleteIncoming", id, messageId);
  }

  async cleanIncoming({ id }: Client): Promise<void> {
    await this.#file.call("mqtt.cleanIncoming", id);
  }

  async putWill({ id }: Client, will: Will): Promise<void> {
    const brokerId = this.#broker!.id;
    // Aedes publishes this object, and finds its origin in it.
    Object.assign(will, { brokerId, clientId: id });
    await this.#file.call("mqtt.putWill", id, brokerId, ...encode(will));
  }

  async getWill({ id }: Client): Promise<object | undefined> {
    return decodeWill(await this.#file.call<WillRow | undefined>("mqtt.will", id));
  }

  async delWill({ id }: Client): Promise<object | undefined> {
    return decodeWill(await this.#file.call<WillRow | undefined>("mqtt.deleteWill", id));
  }

  /** Streams the wills that brokers other than `brokers` left. */
  streamWill(brokers: Record<string, unknown> = {}): Readable {
    return Readable.from(this.#wills(brokers));
  }

  /** The file belongs to the caller. */
  async destroy(): Promise<void> {}

  async *#retained(filters: string[]): AsyncGenerator<object> {
    for (const filter of filters) {
      const rowids = await this.#file.call<number[]>("mqtt.findRetained", filter);
      for (let from = 0; from < rowids.length; from += PAGE) {
        const page = rowids.slice(from, from + PAGE);
        yield* (await this.#file.call<StoredPacket[]>("mqtt.readRetained", filter, page)).map(decode);
      }
    }
  }

  async *#outgoing(clientId: string, newest: Promise<number>): AsyncGenerator<object> {
    yield* this.outgoingBetween(clientId, 0, await newest);
  }

  async *#wills(brokers: Record<string, unknown>): AsyncGenerator<object> {
    for (const row of await this.#file.call<WillRow[]>("mqtt.wills")) {
      if (!brokers[row[1]]) yield decodeWill(row)!;
    }
  }
}
