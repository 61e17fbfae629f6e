/** A device that publishes numbered messages through faults of the broker, and records the acknowledged ones. */
import { setTimeout as delay } from "node:timers/promises";
import { connect, connectAsync, type MqttClient, type Packet } from "mqtt";
import type { Ledger } from "./ledger.ts";

export interface PublisherOptions {
  count: number;
  perSecond: number;
}

export interface ChaosPublisher {
  /** Resolves when all are sent, and acknowledged if the QoS has acknowledgements. */
  done: Promise<void>;
  close(): Promise<void>;
}

/**
 * Maximum number of unacknowledged messages, below Mosquitto's max_inflight_messages. From a 3.1.1 client with more
 * QoS 2 messages in flight, Mosquitto 2.0 acknowledges the next one and drops it.
 */
export const WINDOW = 15;
const TOPICS = 10;

/**
 * Publishes the last message of each direction, after all messages queued at the broker: once both have arrived, the
 * broker holds no others.
 */
export async function publishEnd(url: string, end: Ledger): Promise<void> {
  const client = await connectAsync(url);
  await client.publishAsync("chaos/up/end", end.payload(0), { qos: 1 });
  await client.publishAsync("chaos/down/end", end.payload(1), { qos: 1 });
  await client.endAsync();
}

/**
 * Publishes in a persistent session with MQTT.js's outgoing store: messages in flight are resent as their QoS demands,
 * so that a QoS 2 message is never duplicated here. The store is in memory, and this process is never killed.
 */
export function startPublisher(url: string, ledger: Ledger, { count, perSecond }: PublisherOptions): ChaosPublisher {
  const { qos } = ledger;
  const client: MqttClient = connect(url, {
    clientId: `chaos-publisher-${qos}`,
    clean: false,
    reconnectPeriod: 100,
    protocolVersion: 4,
  });
  client.on("error", () => {}); // it reconnects
  const underWay = new Set<Promise<void>>();
  const onTheWire = new Set<string>();
  const byPacketId = new Map<number, number>();
  let closed = false;

  client.on("packetsend", (packet: Packet) => {
    if (packet.cmd !== "publish") return;
    const payload = packet.payload.toString();
    const number = Number(payload.split(" ")[2]);
    if (packet.messageId !== undefined) byPacketId.set(packet.messageId, number);
    if (onTheWire.has(payload)) ledger.sentAgain.add(number);
    else ledger.sent++;
    onTheWire.add(payload);
  });
  client.on("packetreceive", (packet: Packet) => {
    if (packet.cmd !== "puback" && packet.cmd !== "pubrec") return;
    const number = byPacketId.get(packet.messageId!);
    if (number !== undefined && !ledger.takenAt.has(number)) ledger.takenAt.set(number, Date.now());
  });

  async function publish(number: number): Promise<void> {
    const payload = ledger.payload(number);
    for (;;) {
      try {
        await client.publishAsync(`chaos/up/${qos}/${number % TOPICS}`, payload, { qos });
        if (qos > 0) ledger.acknowledged.add(number);
        return;
      } catch (error) {
        if (closed) return;
        // MQTT.js rejects new messages while it resends its store; it handles messages that were sent once itself.
        if (onTheWire.has(payload)) throw error;
        await delay(20);
      }
    }
  }

  async function run(): Promise<void> {
    const start = Date.now();
    for (let number = 0; number < count; number++) {
      while (!closed && (underWay.size >= WINDOW || !client.connected)) {
        await (client.connected ? Promise.race(underWay) : delay(20));
      }
      const ahead = start + (number * 1_000) / perSecond - Date.now();
      if (ahead > 10) await delay(ahead);
      if (closed) return;
      const sent = publish(number).finally(() => underWay.delete(sent));
      sent.catch(() => {}); // reported by the race or at the end
      underWay.add(sent);
    }
    await Promise.all(underWay);
  }

  const done = run();
  done.catch(() => {}); // reported to callers that await it
  return {
    done,
    close: async () => {
      closed = true;
      await client.endAsync(true);
    },
  };
}
