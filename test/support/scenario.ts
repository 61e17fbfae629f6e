/** The one way to start a bridge for a flow test: with its broker, its store, a webhook receiver and a device. */
import { after, before, type TestContext } from "node:test";
import { connectAsync, type IClientOptions, type MqttClient } from "mqtt";
import type { BreakerPolicy } from "../../src/uplink/health/circuit-breaker.ts";
import { startTestBridge, type TestBridge } from "./bridge.ts";
import type { InProcess } from "./in-process.ts";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "./mosquitto.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { type StartRedisOptions, startRedis, type TestRedis } from "./redis.ts";
import { requireOrSkip } from "./requirements.ts";

type Environment = Record<string, string | undefined>;

/** A pair of broker and store, with the name and the options of the suites that use it. */
export interface Kind {
  name: string;
  /** Options for `describe`: skipped, with the reason, where a program is missing. */
  options: { skip: string | false };
  /** The embedded broker, or Mosquitto with the MQTT version that the bridge uses. */
  broker: "embedded" | "5" | "3.1.1";
  store: "embedded" | "redis";
}

export const embedded: Kind = {
  name: "embedded broker and store",
  options: { skip: false },
  broker: "embedded",
  store: "embedded",
};

export function mosquittoAndRedis(broker: "5" | "3.1.1"): Kind {
  const options = requireOrSkip("mosquitto", "redis-server");
  return { name: `Mosquitto with MQTT ${broker} and Redis`, options, broker, store: "redis" };
}

export function mosquittoAndEmbeddedStore(broker: "5" | "3.1.1"): Kind {
  const options = requireOrSkip("mosquitto");
  return { name: `Mosquitto with MQTT ${broker} and the embedded store`, options, broker, store: "embedded" };
}

/** How a scenario runs its bridges. */
interface Runner<B> {
  start(env: Environment): Promise<B>;
  /** URL of the embedded broker. */
  brokerUrl(bridge: B): string;
  /** Ends the bridge if it still runs. */
  end(bridge: B): Promise<unknown>;
}

/** A bridge as a process of its own. @param end the way it ends after the test */
export function asProcess(end: "stop" | "kill" = "stop"): Runner<TestBridge> {
  return {
    start: startTestBridge,
    brokerUrl: ({ brokerPort }) => `mqtt://127.0.0.1:${brokerPort}`,
    end: async (bridge) => (bridge.running ? bridge[end]() : undefined),
  };
}

/** A bridge inside the test process, for values without a setting. */
export function inProcess(breaker: Partial<BreakerPolicy> = {}): Runner<InProcess> {
  return {
    start: async (env) => {
      // Imported on demand: loading the whole bridge takes more time than many tests.
      const { startInProcess } = await import("./in-process.ts");
      return startInProcess(env as Record<string, string>, breaker);
    },
    brokerUrl: ({ bridge }) => bridge.broker.url,
    end: ({ bridge }) => bridge.stop(),
  };
}

export interface ScenarioOptions<B> {
  /** Environment of the bridges. A function runs once the servers are up, e.g. to prepare their data. */
  env?: Environment | ((servers: Servers) => Environment | Promise<Environment>);
  /** Default: {@link asProcess}. */
  run?: Runner<B>;
  mosquitto?: MosquittoOptions;
  redis?: StartRedisOptions;
  /** Options of the device's client; false: no device. */
  device?: IClientOptions | false;
}

/** The parts that start before the bridge. */
interface Servers {
  readonly receiver: Receiver;
  readonly mosquitto?: Mosquitto;
  readonly redis?: TestRedis;
}

export interface Scenario<B = TestBridge> extends Servers {
  readonly bridge: B;
  /** A client of the broker. */
  readonly device: MqttClient;
  /** Broker URL for clients. */
  readonly brokerUrl: string;
  /** Starts another bridge on the same broker and store. `env` extends the scenario's. */
  addBridge(env?: Environment): Promise<B>;
  addReceiver(): Promise<Receiver>;
  /** Connects another client to the broker. */
  connect(options?: IClientOptions): Promise<MqttClient>;
}

/** Starts a scenario that ends with the test. */
export async function startScenario<B = TestBridge>(
  t: TestContext,
  kind: Kind,
  options?: ScenarioOptions<B>,
): Promise<Scenario<B>> {
  const { close, ...scenario } = await openScenario(kind, options);
  t.after(close);
  return scenario;
}

/**
 * Starts a scenario before the tests of the enclosing suite and ends it after them. Its members are undefined until
 * then: `before` hooks that follow may use them, and tests; the suite's body may not.
 */
export function scenario<B = TestBridge>(kind: Kind, options?: ScenarioOptions<B>): Scenario<B> {
  const started = {} as Scenario<B> & { close?(): Promise<void> };
  before(async () => void Object.assign(started, await openScenario(kind, options)));
  after(() => started.close?.());
  return started;
}

/** Starts a scenario that the caller closes. */
export async function openScenario<B = TestBridge>(
  kind: Kind,
  options: ScenarioOptions<B> = {},
): Promise<Scenario<B> & { close(): Promise<void> }> {
  const parts = new Parts();
  try {
    return { ...(await startAll(kind, options, parts)), close: () => parts.close() };
  } catch (error) {
    await parts.close();
    throw error;
  }
}

async function startAll<B>(
  { broker, store }: Kind,
  { env = {}, run = asProcess() as unknown as Runner<B>, ...options }: ScenarioOptions<B>,
  parts: Parts,
): Promise<Scenario<B>> {
  const addReceiver = () => parts.add(startReceiver(), (receiver) => receiver.close());
  const [mosquitto, redis, receiver] = await Promise.all([
    broker === "embedded" ? undefined : parts.add(startMosquitto(options.mosquitto), (started) => started.stop()),
    store === "embedded" ? undefined : parts.add(startRedis(options.redis), (started) => started.stop()),
    addReceiver(),
  ]);
  const servers = { receiver, ...(mosquitto && { mosquitto }), ...(redis && { redis }) };
  const common = {
    ...(mosquitto && { MQTT_URL: mosquitto.url, MQTT_PROTOCOL: broker }),
    ...(redis && { STORE_URL: redis.url }),
    ...(typeof env === "function" ? await env(servers) : env),
  };
  const addBridge = (more: Environment = {}) => parts.add(run.start({ ...common, ...more }), run.end);
  const connectTo = async (url: string, options: IClientOptions = {}) => {
    const client = await parts.add(connectAsync(url, options), (connected) => connected.endAsync(true));
    return client.on("error", () => {}); // A test may end the broker; the client reconnects.
  };
  const startDevice = async (url: string) => {
    if (options.device === false) return undefined as unknown as MqttClient;
    return connectTo(url, options.device);
  };
  const bridge = addBridge();
  // The embedded broker is part of the bridge.
  const [brokerUrl, device] = await Promise.all([
    mosquitto?.url ?? bridge.then(run.brokerUrl),
    mosquitto ? startDevice(mosquitto.url) : bridge.then(run.brokerUrl).then(startDevice),
  ]);
  return {
    ...servers,
    bridge: await bridge,
    device,
    brokerUrl,
    addBridge,
    addReceiver,
    connect: (client) => connectTo(brokerUrl, client),
  };
}

/** The started parts, closed in reverse order. */
class Parts {
  readonly #starting: Promise<unknown>[] = [];
  readonly #closers: (() => Promise<unknown>)[] = [];

  add<T>(starting: Promise<T>, close: (part: T) => Promise<unknown>): Promise<T> {
    const added = starting.then((part) => {
      this.#closers.push(() => close(part));
      return part;
    });
    this.#starting.push(added);
    return added;
  }

  /** Closes all parts, also after one of them failed. */
  async close(): Promise<void> {
    // A part that is still starting must not be left behind.
    await Promise.allSettled(this.#starting);
    const errors: unknown[] = [];
    for (const close of this.#closers.splice(0).reverse()) await close().catch((error) => errors.push(error));
    if (errors.length > 0) throw errors[0];
  }
}
