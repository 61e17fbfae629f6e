/**
 * Acknowledges a message of a device only after it is stored, where Aedes alone could lose it:
 *
 * - QoS 1: Aedes sends PUBACK first and stores afterwards. Here the publish runs before PUBACK. PUBACK leaves as soon as
 *   the message is stored, or acknowledged by the bridge instead (in-flight-messages.ts), and does not wait for other
 *   subscribers.
 * - QoS 2: Aedes stores the packet identifier first and the message afterwards. After a crash or a full disk in between,
 *   it takes the message that the device sends again for a copy. Here both are stored in one transaction, before PUBREC.
 *   A device whose packet identifier cannot be read or removed is disconnected, so that it sends the packet again.
 */
import type { Aedes, Client, PublishPacket } from "aedes";
import { disconnect } from "./disconnect.ts";
import { NoSuchPacketError, type SqlitePersistence } from "./sqlite-persistence.ts";
import type { Received } from "./sqlite-procedures.ts";

type AedesCallback = (error?: Error | null) => void;
type PublishMethod = (packet: PublishPacket, client: Client | AedesCallback | null, done?: AedesCallback) => void;

interface WaitingAcknowledgement {
  send: AedesCallback;
  /** The broker's counter of the message, if a session holds it. */
  counter: number | undefined;
}

export function acknowledgeWhenStored(aedes: Aedes, persistence: SqlitePersistence): void {
  publishBeforePuback(aedes, persistence);
  receiveOnce(persistence);
}

function publishBeforePuback(aedes: Aedes, persistence: SqlitePersistence): void {
  /** Waiting PUBACKs by payload buffer: the persistence gets a copy of the packet, which shares only the payload. */
  const waiting = new WeakMap<object, WaitingAcknowledgement>();
  /** Publishes in progress by packet; Aedes calls `publish` for them again after PUBACK. */
  const published = new WeakMap<object, Promise<Error | null | undefined>>();
  const broker = aedes as unknown as { publish: PublishMethod };

  const { held } = persistence;
  const store = persistence.outgoingEnqueueCombi.bind(persistence);
  persistence.outgoingEnqueueCombi = async (subscriptions, packet, received) => {
    const acknowledgement = waiting.get(packet.payload as Buffer);
    const isHeld = ({ clientId }: { clientId: string }) => acknowledgement !== undefined && held.canHold(clientId);
    const safe = subscriptions.filter(isHeld).map(({ clientId }) => held.hold(clientId, { ...packet }));
    if (acknowledgement && safe.length > 0) acknowledgement.counter = packet.brokerCounter;
    await store(
      subscriptions.filter((subscription) => !isHeld(subscription)),
      packet,
      received,
    );
    if (safe.length === 0) acknowledgement?.send(null);
    else void Promise.all(safe).then(() => acknowledgement?.send(null), acknowledgement?.send);
  };

  const publish = broker.publish.bind(aedes);
  const authorize = aedes.authorizePublish.bind(aedes);
  aedes.authorizePublish = (client, packet, callback) => {
    authorize(client, packet, (refusal) => {
      // A will also passes here; it has no packet identifier and needs no acknowledgement.
      if (refusal || packet.qos !== 1 || packet.messageId === undefined) return callback(refusal);
      const acknowledgement: WaitingAcknowledgement = { send: once(callback), counter: undefined };
      waiting.set(packet.payload as Buffer, acknowledgement);
      const end = new Promise<Error | null | undefined>((resolve) => publish(packet, client, resolve));
      published.set(packet, end);
      void end.then((error) => {
        if (acknowledgement.counter !== undefined) held.delivered(acknowledgement.counter);
        if (error || acknowledgement.counter === undefined) {
          acknowledgement.send(error ?? new Error("the message was not stored"));
        }
      });
    });
  };
  broker.publish = (packet, client, done) => {
    const end = published.get(packet);
    if (!end || typeof client === "function") return publish(packet, client, done);
    published.delete(packet);
    void end.then(done);
  };
}

function receiveOnce(persistence: SqlitePersistence): void {
  /** Messages on their way to the store, by payload buffer. */
  const arriving = new WeakMap<object, Received>();
  /** Their transactions, for a device that connects again meanwhile. */
  const storing = new Map<string, Promise<void>>();
  const key = (clientId: string, messageId: number) => `${messageId} ${clientId}`;

  persistence.incomingStorePacket = async ({ id }, { payload, messageId }) => {
    arriving.set(payload as Buffer, [id, messageId!]);
  };

  const store = persistence.outgoingEnqueueCombi.bind(persistence);
  persistence.outgoingEnqueueCombi = async (subscriptions, packet) => {
    const received = arriving.get(packet.payload as Buffer);
    const stored = store(subscriptions, packet, received);
    if (!received) return stored;
    const name = key(...received);
    storing.set(name, stored);
    await stored.finally(() => storing.delete(name));
  };

  const get = persistence.incomingGetPacket.bind(persistence);
  persistence.incomingGetPacket = async (client, packet) => {
    await storing.get(key(client.id, packet.messageId!))?.catch(() => undefined);
    return get(client, packet).catch((error) => {
      if (error instanceof NoSuchPacketError) throw error;
      disconnect(client, error);
      return packet; // Aedes neither stores nor publishes a copy, and its acknowledgement finds no connection.
    });
  };

  const remove = persistence.incomingDelPacket.bind(persistence);
  persistence.incomingDelPacket = (client, packet) =>
    remove(client, packet).catch((error) => {
      // Aedes would send PUBCOMP, and take the next message with this packet identifier for a copy.
      disconnect(client, error);
      throw error;
    });
}

function once(callback: AedesCallback): AedesCallback {
  let called = false;
  return (error) => {
    if (called) return;
    called = true;
    callback(error);
  };
}
