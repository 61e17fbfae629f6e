/** What a scenario has: a bridge on one of the brokers, a receiver for its webhooks, and devices. */
import { setTimeout as delay } from "node:timers/promises";
import { connect, type IClientOptions, type ISubscriptionGrant, type MqttClient } from "mqtt";
import packageJson from "../../package.json" with { type: "json" };
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis.ts";
import type { BrokerKind, TestBroker } from "./kinds/kind.ts";

export interface Scenario {
  /** Names its row, and its exceptions in `expected.ts`. */
  title: string;
  /**
   * Resolves with what was found, in words for users: the same words at each run, or the test fails.
   * @param note prints what differs from run to run
   */
  run(world: World, note: (measured: string) => void): Promise<string>;
}

/** What a CloudEvent says that the scenarios ask for. */
export interface Event {
  /** Of the message, the same in each call for it. */
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

/** How long what must come may take: a machine that is busy must not fail a test. */
const PATIENCE_MS = 40_000;

/** A device on the broker that keeps what it gets. */
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

  /** Resolves with the first message with the payload, past or to come. */
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

  /** Ends the connection without a DISCONNECT: the broker takes it for dead. */
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
    /** Absent: it is part of the bridge. */
    readonly broker: TestBroker | undefined,
    private readonly settings: Record<string, string>,
  ) {}

  /** E.g. `Mosquitto 2.0.11`. */
  get version(): string {
    return this.broker?.version ?? `Aedes ${packageJson.dependencies.aedes}`;
  }

  /** A second one on the same store and broker, for the scenario to end. */
  anotherBridge(): Promise<TestBridge> {
    return startTestBridge(this.settings);
  }

  async device(options: IClientOptions = {}): Promise<Device> {
    const client = connect(this.brokerUrl, {
      protocolVersion: this.kind.protocol === "5" ? 5 : 4,
      reconnectPeriod: 0,
      // A session that ends with the connection needs an expiry on MQTT 5 to be kept.
      ...(options.clean === false && this.kind.protocol === "5" && { properties: { sessionExpiryInterval: 3600 } }),
      ...options,
    });
    // Before CONNACK: brokers send what they kept for the session right behind it.
    const device = new Device(client);
    this.#devices.push(device);
    await inTime("CONNACK", new Promise((resolve) => client.once("connect", resolve)));
    return device;
  }

  /** A webhook of the test's own, and what comes to it. */
  async webhook(topics: string[], rest: Record<string, unknown> = {}): Promise<Deliveries> {
    const path = `/${++this.#webhooks}`;
    const { id } = await this.bridge.register({ url: this.receiver.url + path, topics, ...rest });
    return new Deliveries(id, this.bridge, this.receiver, path);
  }

  /** The bridge is connected, subscribed, and its queues work. */
  async ready(): Promise<void> {
    await this.bridge.readiness(200, PATIENCE_MS);
  }

  /** The same after the connections of the bridge were lost: until it logs that it has both again. */
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

  /** Ends the devices of a scenario. */
  async tidy(): Promise<void> {
    for (const { client } of this.#devices.splice(0)) client.end(true);
  }
}

export class Deliveries {
  constructor(
    /** Of the webhook. */
    readonly id: string,
    /** Which bridge to ask what is still to come. */
    public asked: TestBridge,
    private readonly receiver: Receiver,
    private readonly path: string,
  ) {}

  get events(): Event[] {
    return this.receiver.calls
      .filter(({ path }) => path === this.path)
      .map(({ body }) => JSON.parse(body.toString()) as Event);
  }

  /** Resolves when an event with one of these payloads came. */
  untilOne(payloads: unknown[]): Promise<void> {
    return this.receiver.until(() => this.events.some(({ data }) => payloads.includes(data)), PATIENCE_MS);
  }

  /**
   * Resolves when an event with each of these payloads came, and nothing that the bridge received before the last of
   * them is still to come: calls are made side by side.
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

/** Starts broker, store and bridge of a kind. `close` ends them. */
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

/** @throws when it takes longer than what must come may take */
export async function inTime<T>(what: string, promise: Promise<T>): Promise<T> {
  const result = await within(PATIENCE_MS, promise);
  if (result === undefined) throw new Error(`${what} did not come within ${PATIENCE_MS} ms`);
  return result.value;
}

/** Undefined when it takes longer. */
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
