/**
 * The connection that publishes. Nothing is kept in memory for a broker that is away: such a publish fails at once,
 * and one that was under way when the connection broke is sent again until its deadline.
 */
import type { IClientPublishOptions, MqttClient } from "mqtt";
import type { OutgoingMessage, PublishResult } from "../downlink/publish.ts";
import { type BrokerAddress, Connection, type Log } from "./connection.ts";

export interface PublisherOptions {
  broker: BrokerAddress;
  clientId: string;
  log: Log;
  /** Milliseconds to wait for PUBACK or PUBCOMP. */
  ackTimeoutMs?: number;
}

const ACK_TIMEOUT_MS = 10_000;
/** Unacknowledged publishes where the broker names no Receive Maximum; packet identifiers end at 65,535. */
const DEFAULT_WINDOW = 1_000;
/** Publishes that wait for a place in the window. Beyond it callers are told to come back. */
const MAX_WAITING = 10_000;

type Settle = (result: PublishResult) => void;
type Done = (error?: Error & { code?: number | string }) => void;

export class Publisher {
  readonly connection: Connection;
  readonly #ackTimeoutMs: number;
  #window = DEFAULT_WINDOW;
  #inFlight = 0;
  #waiting: (() => void)[] = [];
  /**
   * Reason codes other than 0 by packet identifier, at most 65,535: MQTT.js does not hand on that of a PUBACK, and
   * "no matching subscribers" stands in PUBREC and not in PUBCOMP.
   */
  readonly #reasonCodes = new Map<number, number>();

  constructor(options: PublisherOptions) {
    this.#ackTimeoutMs = options.ackTimeoutMs ?? ACK_TIMEOUT_MS;
    this.connection = new Connection({
      broker: options.broker,
      name: "publish",
      clientId: options.clientId,
      persistent: false,
      log: options.log,
      prepare: (client) => this.#watchReasonCodes(client),
      onConnect: (connack) => {
        this.#window = Math.min(connack.properties?.receiveMaximum ?? DEFAULT_WINDOW, DEFAULT_WINDOW);
        this.#next();
      },
    });
  }

  /** Publishes one message. Never rejects. */
  publish(message: OutgoingMessage): Promise<PublishResult> {
    if (!this.connection.connected) return Promise.resolve(this.#unavailable());
    return new Promise((settle) => {
      if (message.qos === 0) this.#sendAtMostOnce(message, settle);
      else if (this.#inFlight < this.#window) this.#sendAcknowledged(message, settle);
      else if (this.#waiting.length >= MAX_WAITING) settle({ kind: "busy" });
      else this.#enqueue(message, settle);
    });
  }

  close(): Promise<void> {
    return this.connection.close();
  }

  #sendAtMostOnce(message: OutgoingMessage, settle: Settle): void {
    const done: Done = (error) => settle(error ? this.#failure(error) : { kind: "sent" });
    this.connection.client.publish(message.topic, message.payload, this.#options(message), done);
  }

  #sendAcknowledged(message: OutgoingMessage, settle: Settle): void {
    const { client } = this.connection;
    let messageId = 0;
    let settled = false;
    const finish: Settle = (result) => {
      if (settled) return;
      settled = true;
      clearTimeout(deadline);
      this.#inFlight--;
      settle(result);
      this.#next();
    };
    const done: Done = (error) => {
      const reasonCode = this.#reasonCodes.get(messageId) ?? 0;
      if (reasonCode !== 0) this.#reasonCodes.delete(messageId);
      const five = this.connection.protocol === 5;
      finish(error ? this.#failure(error) : { kind: "acknowledged", reasonCode: five ? reasonCode : undefined });
    };
    const deadline = setTimeout(() => {
      finish({ kind: "timeout", afterMs: this.#ackTimeoutMs });
      // Not sent again at the next connect, after the caller was told that it failed.
      client.removeOutgoingMessage(messageId);
    }, this.#ackTimeoutMs);
    // Called in the same turn in which MQTT.js takes the identifier, which may be later than now.
    const cbStorePut = () => {
      messageId = client.getLastMessageId();
    };
    this.#inFlight++;
    client.publish(message.topic, message.payload, { ...this.#options(message), cbStorePut }, done);
  }

  #enqueue(message: OutgoingMessage, settle: Settle): void {
    const since = Date.now();
    this.#waiting.push(() => {
      if (!this.connection.connected) settle(this.#unavailable());
      else if (Date.now() - since > this.#ackTimeoutMs)
        settle({ kind: "unavailable", reason: "the broker is too slow" });
      else this.#sendAcknowledged(message, settle);
    });
  }

  #next(): void {
    while (this.#waiting.length > 0 && (this.#inFlight < this.#window || !this.connection.connected)) {
      this.#waiting.shift()!();
    }
  }

  #options(message: OutgoingMessage): IClientPublishOptions {
    const { qos, retain } = message;
    // 3.1.1 has no properties: they are left out there rather than refused.
    return this.connection.protocol === 5 ? { qos, retain, properties: propertiesOf(message) } : { qos, retain };
  }

  #failure(error: Error & { code?: number | string }): PublishResult {
    if (typeof error.code === "number" && error.code >= 0x80) {
      return { kind: "refused", reasonCode: error.code, reason: error.message };
    }
    return this.#unavailable();
  }

  #unavailable(): PublishResult {
    return { kind: "unavailable", reason: this.connection.lastError ?? "there is no connection to the broker" };
  }

  #watchReasonCodes(client: MqttClient): void {
    client.on("packetreceive", (packet) => {
      if ((packet.cmd === "puback" || packet.cmd === "pubrec") && packet.reasonCode) {
        this.#reasonCodes.set(packet.messageId!, packet.reasonCode);
      }
    });
  }
}

type Properties = NonNullable<IClientPublishOptions["properties"]>;

function propertiesOf(message: OutgoingMessage): Properties {
  const { contentType, responseTopic, correlationData, userProperties, expirySeconds } = message;
  const properties: Properties = {};
  if (contentType !== undefined) properties.contentType = contentType;
  if (responseTopic !== undefined) properties.responseTopic = responseTopic;
  if (correlationData !== undefined) properties.correlationData = correlationData;
  if (userProperties !== undefined) properties.userProperties = userProperties;
  if (expirySeconds !== undefined) properties.messageExpiryInterval = expirySeconds;
  return properties;
}
