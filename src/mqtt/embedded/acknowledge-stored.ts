/**
 * Aedes answers a PUBLISH of QoS 1 with PUBACK first and stores the message then: what a device was told is safe would
 * be gone if the process died in between. Here the message goes its way before PUBACK, which leaves once the message
 * is stored, and does not wait for subscribers to take it. QoS 2 needs none of this: Aedes stores before PUBREC.
 */
import type { Aedes, Client, PublishPacket } from "aedes";
import type { LevelPersistence } from "aedes-persistence-level";

type Done = (error?: Error | null) => void;
type Publish = (packet: PublishPacket, client: Client | Done | null, done?: Done) => void;

export function acknowledgeWhenStored(aedes: Aedes, persistence: LevelPersistence): void {
  /** By payload: what reaches the persistence is a copy of the packet, and shares only that. */
  const whenStored = new WeakMap<object, () => void>();
  /** Messages on their way, by packet; Aedes will want to publish them itself after PUBACK. */
  const published = new WeakMap<object, Promise<Error | null | undefined>>();
  const broker = aedes as unknown as { publish: Publish };

  const store = persistence.outgoingEnqueueCombi.bind(persistence);
  persistence.outgoingEnqueueCombi = async (subscriptions, packet) => {
    await store(subscriptions, packet);
    whenStored.get(packet.payload)?.();
  };

  const publish = broker.publish.bind(aedes);
  const authorize = aedes.authorizePublish.bind(aedes);
  aedes.authorizePublish = (client, packet, callback) => {
    authorize(client, packet, (refusal) => {
      // A will passes here too: it has no identifier, and nobody waits for its acknowledgement.
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
