/** The MQTT connection of one simulated client. */
import { randomBytes } from "node:crypto";
import mqtt, { type IClientOptions, type IPublishPacket, type MqttClient } from "mqtt";
import { withDeadline } from "../lib/deadline.ts";
import { BrokerError } from "./broker-error.ts";
import type { SimulatedClient, SimulatedMessage } from "./model.ts";

export interface ConnectionSettings {
  url: string;
  username?: string | undefined;
  password?: string | undefined;
  /** 4 is MQTT 3.1.1. */
  protocolVersion: 4 | 5;
  onTraffic: (traffic: Traffic) => void;
  onConnection: (name: string, state: "lost" | "restored") => void;
}

/** One message of a client, in either direction. */
export interface Traffic {
  time: Date;
  client: string;
  direction: "sent" | "received";
  topic: string;
  payload: Buffer;
  qos: number;
  retain: boolean;
}

const RECONNECT_MS = 1_000;
const CLOSE_MS = 2_000;
/** CONNACK: bad user name or password, not authorized; in MQTT 3.1.1 and 5. */
const UNAUTHORIZED = [4, 5, 0x86, 0x87];

export class ClientConnection {
  readonly #model: SimulatedClient;
  readonly #settings: ConnectionSettings;
  readonly #delayed = new Set<NodeJS.Timeout>();
  #client: MqttClient | undefined;
  #isClosing = false;

  constructor(model: SimulatedClient, settings: ConnectionSettings) {
    this.#model = model;
    this.#settings = settings;
  }

  /** Resolves when the client is connected, subscribed, and has sent its first messages. */
  async open(): Promise<void> {
    const { url, username, password, protocolVersion } = this.#settings;
    const options: IClientOptions = {
      // Two simulations on one broker would take over each other's connections.
      clientId: `${this.#model.name}-${randomBytes(4).toString("hex")}`,
      username,
      password,
      protocolVersion,
      reconnectPeriod: RECONNECT_MS,
      // Subscribes anew after each connection, before the births.
      resubscribe: false,
      queueQoSZero: false,
    };
    this.#setWill(options);
    const client = mqtt.connect(url, options);
    this.#client = client;
    client.on("message", (topic, payload, packet) => this.#receive(topic, payload, packet));
    await new Promise<void>((resolve, reject) => {
      let isFirst = true;
      client.on("error", (error) => {
        if (isFirst) reject(asBrokerError(error, url));
      });
      client.on("connect", () => {
        if (!isFirst) this.#settings.onConnection(this.#model.name, "restored");
        const started = this.#start(client);
        if (isFirst) started.then(resolve, reject);
        else started.catch(() => undefined);
        isFirst = false;
      });
    });
    client.on("close", () => {
      this.#setWill(client.options);
      if (!this.#isClosing) this.#settings.onConnection(this.#model.name, "lost");
    });
  }

  /** Publishes the next readings. Readings of a time without connection are lost, as those of most devices. */
  async report(): Promise<void> {
    if (this.#client?.connected) await this.#publish(this.#model.tick(new Date()));
  }

  async close(): Promise<void> {
    this.#isClosing = true;
    for (const timer of this.#delayed) clearTimeout(timer);
    const client = this.#client;
    if (client === undefined) return;
    const farewell = async () => {
      if (client.connected) await this.#publish(this.#model.disconnecting(new Date()));
      await client.endAsync(!client.connected);
    };
    await withDeadline(farewell(), CLOSE_MS, () => new Error("late")).catch(() => client.endAsync(true));
  }

  async #start(client: MqttClient): Promise<void> {
    if (this.#model.filters.length > 0) await client.subscribeAsync([...this.#model.filters], { qos: 1 });
    await this.#publish(this.#model.connected(new Date()));
  }

  #setWill(options: IClientOptions): void {
    const will = this.#model.will?.();
    if (will === undefined) return;
    const { topic, payload, qos = 1, retain = false } = will;
    options.will = { topic, payload: Buffer.from(payload as Buffer), qos, retain };
  }

  #receive(topic: string, payload: Buffer, { qos, retain, properties }: IPublishPacket): void {
    if (this.#isClosing) return;
    const time = new Date();
    const client = this.#model.name;
    this.#settings.onTraffic({ time, client, direction: "received", topic, payload, qos, retain });
    const { responseTopic, correlationData } = properties ?? {};
    const replies = this.#model.command({ topic, payload, responseTopic, correlationData }, time);
    // A reply that the connection did not carry is lost, as it would be in the field.
    void this.#publish(replies).catch(() => undefined);
  }

  async #publish(messages: readonly SimulatedMessage[]): Promise<void> {
    const sent: Promise<unknown>[] = [];
    for (const message of messages) {
      if (message.delayMs === undefined) sent.push(this.#send(message));
      else this.#later(message, message.delayMs);
    }
    await Promise.all(sent);
  }

  #later(message: SimulatedMessage, delayMs: number): void {
    const timer = setTimeout(() => {
      this.#delayed.delete(timer);
      if (this.#client?.connected) this.#send(message).catch(() => undefined);
    }, delayMs);
    this.#delayed.add(timer);
  }

  async #send({ topic, payload, qos = 1, retain = false, correlationData }: SimulatedMessage): Promise<void> {
    const bytes = Buffer.from(payload as Buffer);
    const client = this.#model.name;
    this.#settings.onTraffic({ time: new Date(), client, direction: "sent", topic, payload: bytes, qos, retain });
    const properties = correlationData && this.#settings.protocolVersion === 5 ? { correlationData } : undefined;
    await this.#client?.publishAsync(topic, bytes, { qos, retain, ...(properties && { properties }) });
  }
}

function asBrokerError(error: Error & { code?: number | string }, url: string): BrokerError {
  const { host } = new URL(url);
  const isUnauthorized = UNAUTHORIZED.includes(error.code as number);
  const reason = error.message || String(error.code);
  return new BrokerError(
    isUnauthorized ? `the broker at ${host} refuses the devices: ${reason}` : `the broker at ${host}: ${reason}`,
    isUnauthorized,
  );
}
