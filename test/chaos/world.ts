/** Two bridges on one Redis and one broker, a receiver, and a proxy on each connection between them. */
import { setTimeout as delay } from "node:timers/promises";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import type { Fault, FaultKind, LinkName, ProcessName } from "./faults.ts";
import { startProxy, type TcpProxy } from "./proxy.ts";
import { WINDOW } from "./publisher.ts";
import { type ReceiverServer, type Server, startBroker, startReceiverProcess, startStore } from "./servers.ts";
import { Witness } from "./witness.ts";

/** A process or connection that faults happen to. */
export interface Target {
  begin(kind: FaultKind): Promise<void> | void;
  mend(kind: FaultKind): Promise<void> | void;
}

export interface World {
  readonly bridges: readonly [TestBridge, TestBridge];
  readonly receiver: ReceiverServer;
  /** Broker URL for devices, without a proxy. */
  readonly brokerUrl: string;
  /** URL that the bridges call. */
  readonly webhookUrl: string;
  readonly targets: Record<Fault["target"], Target>;
  /** Witness of the connections between the bridges and the broker. */
  readonly witness: Witness;
  close(): Promise<void>;
}

/** Mean response time of the receiver, in milliseconds. */
const ANSWER_MS = 20;
/** One-way delay under `delay`: long for a network, shorter than every timeout. */
const DELAY_MS = 150;
/** In-flight limit without the reserve for kills: the broker may keep its last exchanges as unfinished for ever. */
const IN_FLIGHT = 50;
/** More than any run sends: beyond it the bridge discards deliveries, which would look like loss. */
const MAX_WAITING = 10_000_000;

/** @param brokerKills maximum number of broker kills */
export async function startWorld(brokerKills: number): Promise<World> {
  const dir = temporaryDirectory("chaos");
  const [broker, redis] = [await startBroker(dir, IN_FLIGHT + WINDOW * brokerKills), await startStore(dir)];
  const receiver = await startReceiverProcess(dir, ANSWER_MS);
  const witness = new Witness();
  const tap = () => witness.connection();
  const links = {
    "a-broker": await startProxy(broker.port, tap),
    "b-broker": await startProxy(broker.port, tap),
    "a-redis": await startProxy(redis.port),
    "b-redis": await startProxy(redis.port),
    "bridge-receiver": await startProxy(receiver.server.port),
  } satisfies Record<LinkName, TcpProxy>;
  const bridge = (name: "a" | "b") =>
    startTestBridge({
      MQTT_URL: `mqtt://127.0.0.1:${links[`${name}-broker`].port}`,
      STORE_URL: `redis://127.0.0.1:${links[`${name}-redis`].port}`,
      MAX_WAITING_DELIVERIES: String(MAX_WAITING),
    });
  const bridges = await Promise.all([bridge("a"), bridge("b")]);

  const processes: Record<ProcessName, Target> = {
    "bridge-a": bridgeTarget(bridges[0]),
    "bridge-b": bridgeTarget(bridges[1]),
    broker: serverTarget(broker),
    redis: serverTarget(redis),
    receiver: serverTarget(receiver.server),
  };
  const proxies = Object.entries(links).map(([name, proxy]) => [name, linkTarget(proxy)]);
  return {
    bridges,
    receiver,
    witness,
    brokerUrl: `mqtt://127.0.0.1:${broker.port}`,
    webhookUrl: `http://127.0.0.1:${links["bridge-receiver"].port}`,
    targets: { ...processes, ...(Object.fromEntries(proxies) as Record<LinkName, Target>) },
    async close() {
      await Promise.all(bridges.filter(({ running }) => running).map((one) => one.kill()));
      await Promise.all(Object.values(links).map((proxy) => proxy.close()));
      await Promise.all([broker, redis, receiver.server].map(({ child }) => child.kill()));
    },
  };
}

const STARTS = 3;

function bridgeTarget(bridge: TestBridge): Target {
  return {
    async begin(kind) {
      if (!bridge.running) throw new Error(`it had ended by itself:\n${bridge.output.slice(-2_000)}`);
      if (kind === "kill") await bridge.kill();
      else if (kind === "terminate") await bridge.stop();
      else process.kill(bridge.pid, "SIGSTOP");
    },
    async mend(kind) {
      if (kind === "freeze") return void process.kill(bridge.pid, "SIGCONT");
      // A bridge waits while the store is away, possibly longer than a start may take.
      for (let left = STARTS - 1; ; left--) {
        try {
          return await bridge.start();
        } catch (error) {
          if (left === 0) throw error;
          await bridge.kill();
        }
      }
    },
  };
}

function serverTarget(server: Server): Target {
  return {
    async begin(kind) {
      if (kind === "kill") await server.child.kill();
      else if (kind === "terminate") await server.child.stop();
      else server.child.child.kill("SIGSTOP");
    },
    async mend(kind) {
      if (kind === "freeze") server.child.child.kill("SIGCONT");
      else await server.start();
    },
  };
}

function linkTarget(proxy: TcpProxy): Target {
  return {
    begin(kind) {
      if (kind === "delay") proxy.delay(DELAY_MS);
      else proxy[kind as "cut" | "stall" | "reset"]();
    },
    mend: () => proxy.pass(),
  };
}

/** Enables the webhook, as an operator does. Has no effect while the store is away: the breaker then closes later. */
export async function closeBreaker(bridges: readonly TestBridge[], webhookId: string): Promise<void> {
  for (const bridge of bridges) {
    const late = delay(2_000, undefined, { ref: false });
    const patched = bridge.api("PATCH", `/v1/webhooks/${webhookId}`, { enabled: true }).catch(() => undefined);
    const answer = await Promise.race([patched, late]);
    if (answer?.status === 200) return;
  }
}
