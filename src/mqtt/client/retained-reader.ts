/**
 * Reads retained messages over a separate connection, opened at the first read: subscribe, take the message with the
 * retain flag, unsubscribe.
 *
 * An empty topic is detected without a long wait: brokers send the retained message directly after SUBACK. So nothing
 * comes any more once the broker has answered another packet, and a short grace period has passed for brokers that look
 * up retained messages asynchronously. A QoS 2 message counts as soon as its PUBLISH arrives: a read need not wait until
 * the broker has released it.
 */

import { setTimeout as delay, setImmediate as nextTurn } from "node:timers/promises";
import type { IPublishPacket } from "mqtt";
import type { ReadRetained, ReadSeveral, RetainedMessage } from "../../downlink/retained.ts";
import type { QoS } from "../../message.ts";
import { ANSWER_MS, connected, graceMs, queryError, tooMany, unavailable, within } from "./broker-query.ts";
import { type BrokerAddress, Connection, type Log } from "./connection.ts";

/** Concurrent reads. */
const MAX_READS = 500;
/**
 * Concurrent reads of `readSeveral`: no more messages than brokers keep in flight to one client, where further ones
 * would arrive late (Mosquitto: 20).
 */
const TOGETHER = 20;

export interface RetainedReaderOptions {
  broker: BrokerAddress;
  clientId: string;
  log: Log;
  /** Why the broker cannot be queried now; undefined if it can. A read must not wait for an unavailable broker. */
  outage(): string | undefined;
  /** The protocol version known to work. */
  protocol?(): "5" | "3.1.1" | undefined;
}

export class RetainedReader {
  #connection: Connection | undefined;
  /** Highest QoS that the broker supports: some never answer a SUBSCRIBE for more. */
  #qos: QoS = 2;
  /** Reads of the same topic share one subscription. */
  readonly #reads = new Map<string, Promise<RetainedMessage | undefined>>();
  readonly #waiting = new Map<string, (message: RetainedMessage) => void>();

  constructor(private readonly options: RetainedReaderOptions) {}

  readonly read: ReadRetained = async (topic) => {
    const outage = this.options.outage();
    if (outage !== undefined) throw unavailable(outage);
    const running = this.#reads.get(topic);
    if (running) return running;
    if (this.#reads.size >= MAX_READS) throw tooMany("reads");
    const started = this.#readOnce(topic).finally(() => this.#reads.delete(topic));
    this.#reads.set(topic, started);
    return started;
  };

  async *readSeveral(topics: string[]): ReturnType<ReadSeveral> {
    for (let i = 0; i < topics.length; i += TOGETHER) {
      const found = await Promise.all(topics.slice(i, i + TOGETHER).map(this.read));
      yield* found.filter((message) => message !== undefined);
    }
  }

  async close(): Promise<void> {
    await this.#connection?.close();
  }

  async #readOnce(topic: string): Promise<RetainedMessage | undefined> {
    const { client } = await connected(this.#open());
    const arrived = new Promise<RetainedMessage>((resolve) => this.#waiting.set(topic, resolve));
    try {
      await within(ANSWER_MS, client.subscribeAsync(topic, { qos: this.#qos }));
      // A round trip without effect after the subscription.
      const askedAt = performance.now();
      const nothing = within(ANSWER_MS, client.unsubscribeAsync(`${this.options.clientId}/-`))
        .then(() => delay(graceMs(performance.now() - askedAt)))
        // A process that was blocked first reads what arrived meanwhile.
        .then(() => nextTurn(undefined));
      nothing.catch(() => undefined); // the message may have won the race
      return await Promise.race([arrived, nothing]);
    } catch (error) {
      throw queryError(error);
    } finally {
      this.#waiting.delete(topic);
      client.unsubscribe(topic, () => undefined);
    }
  }

  #open(): Connection {
    const { broker, clientId, log, protocol } = this.options;
    this.#connection ??= new Connection({
      ...{ broker, clientId, log, name: "read", persistent: false, known: protocol },
      onConnect: ({ properties }) => {
        this.#qos = Math.min(2, properties?.maximumQoS ?? 2) as QoS;
      },
      prepare: (client) =>
        client.on("packetreceive", (packet) => {
          if (packet.cmd === "publish" && packet.retain) this.#waiting.get(packet.topic)?.(retainedMessage(packet));
        }),
    });
    return this.#connection;
  }
}

function retainedMessage({ topic, payload, qos, properties }: IPublishPacket): RetainedMessage {
  const { contentType, userProperties } = properties ?? {};
  return {
    topic,
    payload: payload as Buffer,
    qos: qos as QoS,
    ...(contentType !== undefined && { contentType }),
    ...(userProperties !== undefined && { userProperties: { ...userProperties } as Record<string, string> }),
  };
}
