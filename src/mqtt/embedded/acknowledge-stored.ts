/**
 * Sends PUBACK only after a QoS 1 message is stored. Aedes sends PUBACK first and stores afterwards, so an acknowledged
 * message would be lost if the process ended in between. Here the publish runs before PUBACK. PUBACK leaves as soon as
 * the message is stored and does not wait for the subscribers. QoS 2 needs no change: Aedes stores before PUBREC.
 */
import type { Aedes, Client, PublishPacket } from "aedes";
import type { SqlitePersistence } from "./sqlite-persistence.ts";

type AedesCallback = (error?: Error | null) => void;
type PublishMethod = (packet: PublishPacket, client: Client | AedesCallback | null, done?: AedesCallback) => void;

export function acknowledgeWhenStored(aedes: Aedes, persistence: SqlitePersistence): void {
  /** Callbacks by payload buffer: the persistence gets a copy of the packet, which shares only the payload. */
  const whenStored = new WeakMap<object, () => void>();
  /** Publishes in progress by packet; Aedes calls `publish` for them again after PUBACK. */
  const published = new WeakMap<object, Promise<Error | null | undefined>>();
  const broker = aedes as unknown as { publish: PublishMethod };

  const store = persistence.outgoingEnqueueCombi.bind(persistence);
  persistence.outgoingEnqueueCombi = async (subscriptions, packet) => {
    await store(subscriptions, packet);
    whenStored.get(packet.payload as Buffer)?.();
  };

  const publish = broker.publish.bind(aedes);
  const authorize = aedes.authorizePublish.bind(aedes);
  aedes.authorizePublish = (client, packet, callback) => {
    authorize(client, packet, (refusal) => {
      // A will also passes here; it has no packet identifier and needs no acknowledgement.
      if (refusal || packet.qos !== 1 || packet.messageId === undefined) return callback(refusal);
      let stored = false;
      whenStored.set(packet.payload as Buffer, () => {
        stored = true;
        callback(null);
      });
      const end = new Promise<Error | null | undefined>((resolve) => publish(packet, client, resolve));
      published.set(packet, end);
      void end.then((error) => !stored && callback(error ?? new Error("the message was not stored")));
    });
  };
  broker.publish = (packet, client, done) => {
    const end = published.get(packet);
    if (!end || typeof client === "function") return publish(packet, client, done);
    published.delete(packet);
    void end.then(done);
  };
}
