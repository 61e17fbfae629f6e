/**
 * Reads retained messages over a connection of its own, opened at the first read: subscribe, take the message with
 * the retain flag, unsubscribe.
 *
 * That a topic holds nothing is known without a long wait: brokers send the retained message right behind SUBACK, so
 * once they have answered one more packet, and a short grace for those that look it up aside has passed, nothing comes.
 */

import type { ReadRetained, ReadSeveral, RetainedMessage } from "../../downlink/retained.ts";
import type { QoS } from "../../message.ts";
import { ANSWER_MS, askingFailed, connected, tooMany, unavailable, within } from "./broker-query.ts";
import { type BrokerAddress, Connection, type Log } from "./connection.ts";

const GRACE_MS = 50;
/** Reads under way at once. */
const MAX_READS = 500;
/** Of several: no more than brokers have under way to one client, where more would come late (Mosquitto: 20). */
const TOGETHER = 20;

export interface RetainedReader {
  read: ReadRetained;
  readSeveral: ReadSeveral;
  close(): Promise<void>;
}

export function retainedReader(options: {
  broker: BrokerAddress;
  clientId: string;
  log: Log;
  /** Why the broker cannot be asked now, undefined when it can: a read must not wait for a broker that is away. */
  outage(): string | undefined;
  /** The version that is known to work. */
  protocol?(): "5" | "3.1.1" | undefined;
}): RetainedReader {
  let connection: Connection | undefined;
  /** The highest that the broker takes: some never answer a SUBSCRIBE for more. */
  let qos: QoS = 2;
  /** Reads of one topic share one subscription. */
  const reads = new Map<string, Promise<RetainedMessage | undefined>>();
  const waiting = new Map<string, (message: RetainedMessage) => void>();

  function open(): Connection {
    connection ??= new Connection({
      broker: options.broker,
      name: "read",
      clientId: options.clientId,
      persistent: false,
      log: options.log,
      known: options.protocol,
      onConnect: ({ properties }) => {
        qos = Math.min(2, properties?.maximumQoS ?? 2) as QoS;
      },
      prepare: (client) =>
        client.on("message", (topic, payload, packet) => {
          if (!packet.retain) return;
          const { contentType, userProperties } = packet.properties ?? {};
          waiting.get(topic)?.({
            topic,
            payload,
            qos: packet.qos as QoS,
            ...(contentType !== undefined && { contentType }),
            ...(userProperties !== undefined && { userProperties: { ...userProperties } as Record<string, string> }),
          });
        }),
    });
    return connection;
  }

  async function readOnce(topic: string): Promise<RetainedMessage | undefined> {
    const { client } = await connected(open());
    const arrived = new Promise<RetainedMessage>((resolve) => waiting.set(topic, resolve));
    try {
      await within(ANSWER_MS, client.subscribeAsync(topic, { qos }));
      // A round trip that changes nothing, behind the subscription.
      const nothing = within(ANSWER_MS, client.unsubscribeAsync(`${options.clientId}/-`))
        .then(() => new Promise((resolve) => setTimeout(resolve, GRACE_MS)))
        .then(() => undefined);
      nothing.catch(() => undefined); // the message may have won the race long before
      return await Promise.race([arrived, nothing]);
    } catch (error) {
      throw askingFailed(error);
    } finally {
      waiting.delete(topic);
      client.unsubscribe(topic, () => undefined);
    }
  }

  const read: ReadRetained = async (topic) => {
    const outage = options.outage();
    if (outage !== undefined) throw unavailable(outage);
    const running = reads.get(topic);
    if (running) return running;
    if (reads.size >= MAX_READS) throw tooMany("reads");
    const started = readOnce(topic).finally(() => reads.delete(topic));
    reads.set(topic, started);
    return started;
  };

  return {
    read,
    async *readSeveral(topics) {
      for (let i = 0; i < topics.length; i += TOGETHER) {
        const found = await Promise.all(topics.slice(i, i + TOGETHER).map(read));
        yield* found.filter((message) => message !== undefined);
      }
    },
    close: async () => connection?.close(),
  };
}
