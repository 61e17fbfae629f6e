/** Several bridges on one Redis and one Mosquitto. */

import { startTestBridge, type TestBridge } from "./bridge.ts";
import { eventually } from "./eventually.ts";
import { type Mosquitto, type MosquittoOptions, startMosquitto } from "./mosquitto.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { startRedis, type TestRedis } from "./redis.ts";

export interface Instances {
  bridges: TestBridge[];
  mosquitto: Mosquitto;
  redis: TestRedis;
  receiver: Receiver;
  /** Starts one more instance. */
  add(): Promise<TestBridge>;
}

/** A test, or the hooks of a suite, that ends the instances. */
export interface Closing {
  after(close: () => Promise<unknown>): void;
}

export interface ReceiverStatus {
  lane: number;
  holder: string | null;
  here: boolean;
  sessions: { clientId: string; state: string; granted: number }[];
}

/**
 * Starts instances that end with the test. The first eligible one becomes the receiver.
 *
 * @param roles per instance; undefined: all roles
 */
export async function startInstances(
  t: Closing,
  {
    protocol = "5",
    count = 2,
    roles = Array(count).fill(undefined),
    broker,
  }: {
    protocol?: "5" | "3.1.1";
    count?: number;
    roles?: readonly (string | undefined)[];
    broker?: MosquittoOptions;
  } = {},
): Promise<Instances> {
  const [mosquitto, redis, receiver] = [await startMosquitto(broker), await startRedis(), await startReceiver()];
  const bridges: TestBridge[] = [];
  t.after(async () => {
    await Promise.all(bridges.filter(({ running }) => running).map((bridge) => bridge.kill()));
    await receiver.close();
    await mosquitto.stop();
    await redis.stop();
  });
  const add = async (ROLES?: string, place = bridges.length) => {
    const bridge = await startTestBridge({
      MQTT_URL: mosquitto.url,
      MQTT_PROTOCOL: protocol,
      STORE_URL: redis.url,
      ...(ROLES && { ROLES }),
    });
    bridges[place] = bridge;
    return bridge;
  };
  // The first one that can receive is up before the others start: it becomes the receiver.
  const first = roles.findIndex((role) => role === undefined || role.includes("uplink")) + 1;
  for (const role of roles.slice(0, first)) await add(role);
  await Promise.all(roles.slice(first).map((role, i) => add(role, first + i)));
  return { bridges, mosquitto, redis, receiver, add };
}

/** Number of QoS 1 messages that Mosquitto sent again because they had no acknowledgement. */
export function sentAgain({ mosquitto }: Pick<Instances, "mosquitto">): number {
  return mosquitto.log.match(/Sending PUBLISH to causeway-uplink-\d+ \(d1, q1/g)?.length ?? 0;
}

export async function receiverStatusOf(bridge: TestBridge): Promise<ReceiverStatus> {
  return (await bridge.api("GET", "/v1/status")).body.lanes[0];
}

/** Resolves, when the bridge reports that it is the receiver and connected, with the milliseconds since `since`. */
export async function untilHolds(bridge: TestBridge, since: number, timeoutMs = 15_000): Promise<number> {
  await eventually(
    () => receiverStatusOf(bridge),
    ({ here, sessions }) => here && sessions.length > 0 && sessions.every(({ state }) => state === "connected"),
    timeoutMs,
  );
  return performance.now() - since;
}

/** Resolves when each of the numbered messages has arrived at least once. */
export function untilAll({ until }: Pick<Receiver, "until">, count: number, timeoutMs = 60_000): Promise<void> {
  const seen = new Set<number>();
  let looked = 0;
  return until((calls) => {
    for (; looked < calls.length; looked++) seen.add(Number(JSON.parse(calls[looked]!.body.toString()).data));
    return seen.size === count;
  }, timeoutMs).catch((error: Error) => {
    const missing = Array.from({ length: count }, (_, i) => i).filter((i) => !seen.has(i));
    throw new Error(`of ${count} messages ${missing.length} did not come, ${missing.slice(0, 20)}…: ${error.message}`);
  });
}
