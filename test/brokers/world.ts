/** The environment of a scenario: a bridge on one of the brokers, a receiver for its webhooks, and devices. */
import { setTimeout as delay } from "node:timers/promises";
import { connect, type IClientOptions, type ISubscriptionGrant, type MqttClient } from "mqtt";
import packageJson from "../../package.json" with { type: "json" };
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis.ts";
import type { BrokerKind, TestBroker } from "./kinds/kind.ts";

export interface Scenario {
  /** Name of the scenario's row and key of its exceptions in `expected.ts`. */
  title: string;
  /**
   * Resolves with the result, in words for users: the same words at each run, or the test fails.
   * @param note prints values that differ from run to run
   */
  run(world: World, note: (measured: string) => void): Promise<string>;
}

/** The CloudEvent attributes that the scenarios check. */
export interface Event {
  /** Id of the message, the same in each call for it. */
  id: string;
  subject: string;
  data: unknown;
  mqttqos: number;
  mqttretain: boolean;
}

export interface DeviceMessage {
  topic: string;
  payload: string;
  qos: number;
  properties: { responseTopic?: string; correlationData?: Buffer };
}

/** Timeout of expected results: a busy machine must not fail a test. */
const PATIENCE_MS = 40_000;

/** A device on the broker that records its messages. */
export class Device {
  readonly messages: DeviceMessage[] = [];

  constructor(readonly client: MqttClient) {
    client.on("message", (topic, payload, { qos, properties = {} }) => {
      this.messages.push({ topic, payload: payload.toString(), qos, properties });
    });
    client.on("error", () => undefined);
  }

  subscribe(filter: string, qos: 0 | 1 | 2 = 1): Promise<ISubscriptionGrant[]> {
    return this.client.subscribeAsync(filter, { qos });
  }

  /** Resolves with the first message with this payload, past or future. */
  async got(payload: string): Promise<DeviceMessage> {
    const find = () => this.messages.find((message) => message.payload === payload);
    await inTime(
      `the device's message ${payload}`,
      new Promise<void>((resolve) => {
        const look = () => find() && resolve();
        this.client.on("message", look);
        look();
      }),
    );
    return find()!;
  }

  end(): Promise<void> {
    return this.client.endAsync();
  }

  /** Closes the connection without DISCONNECT, so that the broker considers the device dead. */
  vanish(): void {
    this.client.stream.destroy();
  }
}

export class World {
  readonly #devices: Device[] = [];
  #webhooks = 0;

  constructor(
    readonly kind: BrokerKind,
    readonly bridge: TestBridge,
    readonly receiver: Receiver,
    readonly brokerUrl: string,
    /** Absent if the broker is part of the bridge. */
    readonly broker: TestBroker | undefined,
    private readonly settings: Record<string, string>,
  ) {}

  /** Name and version, e.g. `Mosquitto 2.0.11`. */
  get version(): string {
    return this.broker?.version ?? `Aedes ${packageJson.dependencies.aedes}`;
  }

  /** Starts another bridge on the same store and broker; the scenario has to stop it. */
  anotherBridge(): Promise<TestBridge> {
    return startTestBridge(this.settings);
  }

  async device(options: IClientOptions = {}): Promise<Device> {
    const client = connect(this.brokerUrl, {
      protocolVersion: this.kind.protocol === "5" ? 5 : 4,
      reconnectPeriod: 0,
      // On MQTT 5 a persistent session needs an expiry interval to outlive the connection.
      ...(options.clean === false && this.kind.protocol === "5" && { properties: { sessionExpiryInterval: 3600 } }),
      ...options,
    });
    // Created before CONNACK, because brokers send the queued messages of a session right after it.
    const device = new Device(client);
    this.#devices.push(device);
    await inTime("CONNACK", new Promise((resolve) => client.once("connect", resolve)));
    return device;
  }

  /** Registers a webhook and returns its deliveries. */
  async webhook(topics: string[], rest: Record<string, unknown> = {}): Promise<Deliveries> {
    const path = `/${++this.#webhooks}`;
    const { id } = await this.bridge.register({ url: this.receiver.url + path, topics, ...rest });
    return new Deliveries(id, this.bridge, this.receiver, path);
  }

  /** Resolves when the bridge is connected and subscribed, and its queues work. */
  async ready(): Promise<void> {
    await this.bridge.readiness(200, PATIENCE_MS);
  }

  /** The same after `lose` made the bridge lose its connections: first waits until it logs that both are restored. */
  async readyAgain(lose: () => Promise<void>): Promise<void> {
    const from = this.bridge.output.length;
    await lose();
    const end = Date.now() + PATIENCE_MS;
    for (const name of ["publish", "uplink"]) {
      const connected = new RegExp(`"connection":"${name}".*"mqtt_connected"`);
      while (!connected.test(this.bridge.output.slice(from))) {
        if (Date.now() > end) throw new Error(`the bridge did not connect again:\n${this.bridge.output.slice(from)}`);
        await delay(20);
      }
    }
    await this.ready();
  }

  /** Disconnects the devices of a scenario. */
  async tidy(): Promise<void> {
    for (const { client } of this.#devices.splice(0)) client.end(true);
  }
}

export class Deliveries {
  constructor(
    /** Id of the webhook. */
    readonly id: string,
    /** Bridge to ask for waiting deliveries. */
    public asked: TestBridge,
    private readonly receiver: Receiver,
    private readonly path: string,
  ) {}

  get events(): Event[] {
    return this.receiver.calls
      .filter(({ path }) => path === this.path)
      .map(({ body }) => JSON.parse(body.toString()) as Event);
  }

  /** Resolves when an event with one of these payloads has arrived. */
  untilOne(payloads: unknown[]): Promise<void> {
    return this.receiver.until(() => this.events.some(({ data }) => payloads.includes(data)), PATIENCE_MS);
  }

  /**
   * Resolves when an event with each of these payloads has arrived and the webhook has no waiting deliveries, because
   * concurrent calls may overtake each other.
   */
  async untilAll(...payloads: unknown[]): Promise<Event[]> {
    const wanted = new Set(payloads);
    await this.receiver.until(() => {
      for (const { data } of this.events) wanted.delete(data);
      return wanted.size === 0;
    }, PATIENCE_MS);
    for (;;) {
      const { counts } = (await this.asked.api("GET", `/v1/webhooks/${this.id}`)).body;
      if (counts.pending + counts.active + counts.retrying === 0) return this.events;
      await delay(20);
    }
  }
}

/** Starts broker, store and bridge for a broker kind. `close` ends them. */
export async function startWorld(kind: BrokerKind): Promise<{ world: World; close(): Promise<void> }> {
  const ends: (() => Promise<unknown>)[] = [];
  const close = async () => {
    for (const end of ends.splice(0).reverse()) await end();
  };
  try {
    const broker = await kind.start?.();
    if (broker) ends.push(() => broker.stop());
    const redis = broker && (await startRedis());
    if (redis) ends.push(() => redis.stop());
    const receiver = await startReceiver();
    ends.push(() => receiver.close());
    const settings = {
      ...kind.bridge,
      ...(broker && { MQTT_URL: broker.url }),
      ...(redis && { STORE_URL: redis.url }),
      LOG_LEVEL: "info",
    };
    const bridge = await startTestBridge(settings);
    ends.push(async () => bridge.running && (await bridge.stop()));
    await bridge.readiness(200);
    const brokerUrl = broker?.url ?? `mqtt://127.0.0.1:${bridge.brokerPort}`;
    return { world: new World(kind, bridge, receiver, brokerUrl, broker, settings), close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** @throws on timeout */
export async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  const result = await within(PATIENCE_MS, promise);
  if (result === undefined) throw new Error(`${what} did not come within ${PATIENCE_MS} ms`);
  return result.value;
}

/** Resolves with undefined on timeout. */
export async function within<T>(ms: number, promise: Promise<T>): Promise<{ value: T } | undefined> {
  let timer: NodeJS.Timeout | undefined;
  const late = new Promise<undefined>((resolve) => {
    timer = setTimeout(() => resolve(undefined), ms);
  });
  try {
    return await Promise.race([promise.then((value) => ({ value })), late]);
  } finally {
    clearTimeout(timer);
  }
}
