declare module "aedes-persistence-level" {
  import type { ClassicLevel } from "classic-level";
  import type { QoS } from "mqtt-packet";

  interface RetainedPacket {
    topic: string;
    payload: Buffer;
    qos: QoS;
  }

  export interface StoredSubscription {
    clientId: string;
    topic: string;
    qos: QoS;
  }

  /** The part of the persistence used here; Aedes itself uses all of it. */
  export interface LevelPersistence {
    createRetainedStream(pattern: string): AsyncIterable<RetainedPacket>;
    /** Stores a message for the sessions of these subscriptions. */
    outgoingEnqueueCombi(subscriptions: unknown, packet: { payload: Buffer }): Promise<unknown>;
    subscriptionsByClient(client: { id: string }): Promise<Omit<StoredSubscription, "clientId">[]>;
    subscriptionsByTopic(topic: string): Promise<StoredSubscription[]>;
    addSubscriptions(client: { id: string }, subscriptions: Omit<StoredSubscription, "clientId">[]): Promise<void>;
    removeSubscriptions(client: { id: string }, filters: string[]): Promise<void>;
    cleanSubscriptions(client: { id: string }): Promise<void>;
    /** Gives a stored message its packet identifier; rejects with "no such packet" if the message is not stored. */
    outgoingUpdate(client: { id: string }, packet: { cmd: string; payload: Buffer }): Promise<void>;
  }

  export default function openPersistence(db: ClassicLevel<string, Buffer>): LevelPersistence;
}
