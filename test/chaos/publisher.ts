/** A device that publishes numbered messages through faults of the broker, and knows which were acknowledged. */
import { setTimeout as delay } from "node:timers/promises";
import { connect, connectAsync, type MqttClient, type Packet } from "mqtt";
import type { Ledger } from "./ledger.ts";

export interface PublisherOptions {
  count: number;
  perSecond: number;
}

export interface ChaosPublisher {
  /** Resolves when all are sent, and acknowledged where the QoS knows that. */
  done: Promise<void>;
  close(): Promise<void>;
}

/**
 * Unacknowledged messages at once: below Mosquitto's max_inflight_messages. Of a 3.1.1 client that has more under way
 * with QoS 2, Mosquitto 2.0 acknowledges the next one and drops it.
 */
export const WINDOW = 15;
const TOPICS = 10;

/**
 * The last message each way, behind all that waits at the broker: when both have arrived the broker holds nothing back.
 */
export async function publishEnd(url: string, end: Ledger): Promise<void> {
  const client = await connectAsync(url);
  await client.publishAsync("chaos/up/end", end.payload(0), { qos: 1 });
  await client.publishAsync("chaos/down/end", end.payload(1), { qos: 1 });
  await client.endAsync();
}

/**
 * In a persistent session, with MQTT.js's outgoing store: what was under way is sent again in the way its QoS demands,
 * so that with QoS 2 a message never becomes two here. The store is in memory, and this process is never killed.
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
        // MQTT.js refuses what is given to it while it sends its store again; what has left it stays its own affair.
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
      sent.catch(() => {}); // the race or the end hears of it
      underWay.add(sent);
    }
    await Promise.all(underWay);
  }

  const done = run();
  done.catch(() => {}); // whoever waits for it hears of it
  return {
    done,
    close: async () => {
      closed = true;
      await client.endAsync(true);
    },
  };
}
