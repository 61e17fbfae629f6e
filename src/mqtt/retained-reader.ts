/**
 * Reads retained messages over a connection of its own, opened at the first read: subscribe, take the message with
 * the retain flag, unsubscribe.
 *
 * That a topic holds nothing is known without a long wait: brokers send the retained message right behind SUBACK, so
 * once they have answered one more packet, and a short grace for those that look it up aside has passed, nothing comes.
 */

import type { ReadRetained, RetainedMessage } from "../downlink/retained.ts";
import { Problem } from "../errors.ts";
import type { QoS } from "../message.ts";
import { type BrokerAddress, Connection, type Log } from "./connection.ts";

const ANSWER_MS = 5_000;
const GRACE_MS = 50;
/** Reads under way at once. */
const MAX_READS = 500;

export interface RetainedReader {
  read: ReadRetained;
  close(): Promise<void>;
}

export function retainedReader(options: {
  broker: BrokerAddress;
  clientId: string;
  log: Log;
  /** Why the broker cannot be asked now, undefined when it can: a read must not wait for a broker that is away. */
  outage(): string | undefined;
}): RetainedReader {
  let connection: Connection | undefined;
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
      await within(ANSWER_MS, client.subscribeAsync(topic, { qos: 2 }));
      // A round trip that changes nothing, behind the subscription.
      const nothing = within(ANSWER_MS, client.unsubscribeAsync(`${options.clientId}/-`))
        .then(() => new Promise((resolve) => setTimeout(resolve, GRACE_MS)))
        .then(() => undefined);
      nothing.catch(() => undefined); // the message may have won the race long before
      return await Promise.race([arrived, nothing]);
    } catch (error) {
      if (error instanceof Problem) throw error;
      const refused = (error as { packet?: { granted?: number[] } }).packet?.granted?.[0];
      if (refused !== undefined)
        throw new Problem("broker_refused", `the broker refused the subscription (0x${refused.toString(16)})`);
      throw unavailable((error as Error).message);
    } finally {
      waiting.delete(topic);
      client.unsubscribe(topic, () => undefined);
    }
  }

  return {
    read: async (topic) => {
      const outage = options.outage();
      if (outage !== undefined) throw unavailable(outage);
      const running = reads.get(topic);
      if (running) return running;
      if (reads.size >= MAX_READS)
        throw new Problem("rate_limited", "too many reads are under way", { headers: { "retry-after": "1" } });
      const read = readOnce(topic).finally(() => reads.delete(topic));
      reads.set(topic, read);
      return read;
    },
    close: async () => connection?.close(),
  };
}

async function connected(connection: Connection): Promise<Connection> {
  if (connection.connected) return connection;
  // The broker is there, or `outage` had said so: this connection is being opened, finds out the version, or comes back.
  if (connection.state === "taken_over" || connection.state === "closed") throw unavailable(connection.lastError);
  await within(ANSWER_MS, connection.untilConnected());
  return connection;
}

function unavailable(reason: string | undefined): Problem {
  return new Problem("broker_unavailable", reason ?? "there is no connection to the broker", {
    headers: { "retry-after": "1" },
  });
}

async function within<T>(ms: number, promise: Promise<T>): Promise<T> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(unavailable(`the broker did not answer within ${ms / 1000} s`)), ms);
  });
  try {
    return await Promise.race([promise, late]);
  } finally {
    clearTimeout(timer);
  }
}
