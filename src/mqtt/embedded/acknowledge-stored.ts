/**
 * Sends PUBACK only after a QoS 1 message is stored, or acknowledged by the bridge instead (held-messages.ts). Aedes
 * sends PUBACK first and stores afterwards, so an acknowledged message would be lost if the process ended in between.
 * Here the publish runs before PUBACK. PUBACK leaves as soon as the message is stored and does not wait for other
 * subscribers. QoS 2 needs no change: Aedes stores before PUBREC.
 */
import type { Aedes, Client, PublishPacket } from "aedes";
import type { SqlitePersistence } from "./sqlite-persistence.ts";

type AedesCallback = (error?: Error | null) => void;
type PublishMethod = (packet: PublishPacket, client: Client | AedesCallback | null, done?: AedesCallback) => void;

interface WaitingAcknowledgement {
  send: AedesCallback;
  /** The broker's counter of the message, if a session holds it. */
  counter: number | undefined;
}

export function acknowledgeWhenStored(aedes: Aedes, persistence: SqlitePersistence): void {
  /** Waiting PUBACKs by payload buffer: the persistence gets a copy of the packet, which shares only the payload. */
  const waiting = new WeakMap<object, WaitingAcknowledgement>();
  /** Publishes in progress by packet; Aedes calls `publish` for them again after PUBACK. */
  const published = new WeakMap<object, Promise<Error | null | undefined>>();
  const broker = aedes as unknown as { publish: PublishMethod };

  const { held } = persistence;
  const store = persistence.outgoingEnqueueCombi.bind(persistence);
  persistence.outgoingEnqueueCombi = async (subscriptions, packet) => {
    const acknowledgement = waiting.get(packet.payload as Buffer);
    const isHeld = ({ clientId }: { clientId: string }) => acknowledgement !== undefined && held.canHold(clientId);
    const safe = subscriptions.filter(isHeld).map(({ clientId }) => held.hold(clientId, { ...packet }));
    if (acknowledgement && safe.length > 0) acknowledgement.counter = packet.brokerCounter;
    await store(
      subscriptions.filter((subscription) => !isHeld(subscription)),
      packet,
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
        if (error) acknowledgement.send(error);
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

function once(callback: AedesCallback): AedesCallback {
  let called = false;
  return (error) => {
    if (called) return;
    called = true;
    callback(error);
  };
}
