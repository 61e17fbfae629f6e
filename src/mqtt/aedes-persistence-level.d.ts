declare module "aedes-persistence-level" {
  import type { ClassicLevel } from "classic-level";
  import type { QoS } from "mqtt-packet";

  interface RetainedPacket {
    topic: string;
    payload: Buffer;
    qos: QoS;
  }

  /** The part of the persistence that is used here; Aedes itself takes all of it. */
  export interface LevelPersistence {
    createRetainedStream(pattern: string): AsyncIterable<RetainedPacket>;
    /** Stores a message for the sessions of these subscriptions. */
    outgoingEnqueueCombi(subscriptions: unknown, packet: { payload: Buffer }): Promise<unknown>;
  }

  export default function openPersistence(db: ClassicLevel<string, Buffer>): LevelPersistence;
}
