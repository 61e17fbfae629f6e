/**
 * QoS 2 gives exactly-once enqueueing: the bridge is killed at random moments while it receives, and each message is in
 * the queue of each webhook once. The webhooks are disabled, so that all deliveries can be counted at the end.
 */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync } from "mqtt";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const SEED = Number(process.env.SEED ?? Math.floor(Math.random() * 2 ** 31));
const PREFIX = "exact";
const KILLS = Number(process.env.KILLS ?? 2);
const MOST_KILLS = 20;
/** Messages published between two kills of the bridge. */
const SLICE = 300;
/** Longest time from the first received message to a kill: kills hit any phase of the exchange. */
const LIFE_MS = 200;

/** Mulberry32 generator. */
function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}

/**
 * Publishes numbered messages, as many at once as Mosquitto allows.
 * @returns the numbers that the broker acknowledged; the others are in doubt
 */
async function publishAll(url: string, numbers: number[]): Promise<Set<number>> {
  const device = await connectAsync(url, { protocolVersion: 4, reconnectPeriod: 0 });
  device.on("error", () => {}); // its broker may be killed
  const acknowledged = new Set<number>();
  const rest = [...numbers];
  const next = async () => {
    for (let number = rest.shift(); number !== undefined; number = rest.shift()) {
      await device.publishAsync(`${PREFIX}/${number}`, "the same", { qos: 2 });
      acknowledged.add(number);
    }
  };
  await Promise.allSettled(Array.from({ length: 20 }, next));
  await device.endAsync(true);
  return acknowledged;
}

/** Registers a webhook with one filter, and one with overlapping filters and ordering. */
async function registerBoth(bridge: TestBridge): Promise<string[]> {
  const webhook = { url: "http://127.0.0.1:9/never-called", qos: 2, enabled: false };
  const one = await bridge.register({ ...webhook, topics: [`${PREFIX}/#`] });
  const two = await bridge.register({ ...webhook, topics: [`${PREFIX}/+`, `${PREFIX}/#`], ordering: "strict" });
  return [one.id, two.id];
}

async function waiting(bridge: TestBridge, webhookId: string): Promise<number> {
  const { counts } = (await bridge.api("GET", `/v1/webhooks/${webhookId}`)).body;
  return counts ? counts.pending + counts.retrying : Number.NaN;
}

/**
 * Returns the webhook's queue as message id → topic; reads again if the queue changed during the read, or if the store
 * was too slow for it, as on an overloaded machine.
 */
async function listed(bridge: TestBridge, webhookId: string): Promise<Map<string, string>> {
  for (;;) {
    const topics = new Map<string, string>();
    let after = "";
    let isSlow = false;
    do {
      const { status, body } = await bridge.api("GET", `/v1/webhooks/${webhookId}/deliveries?limit=250${after}`);
      isSlow = status === 503 && body.code === "store_unavailable";
      if (isSlow) break;
      assert.equal(status, 200);
      for (const { messageId, topic } of body.items) topics.set(messageId, topic);
      after = body.nextCursor && `&after=${body.nextCursor}`;
    } while (after);
    if (!isSlow && topics.size === (await waiting(bridge, webhookId))) return topics;
    await delay(100);
  }
}

/** Returns the message numbers in the queues of the webhooks, once a final marker message has arrived. */
async function queued(bridge: TestBridge, webhookIds: string[], brokerUrl: string): Promise<number[][]> {
  const last = `${PREFIX}/-1`;
  const device = await connectAsync(brokerUrl);
  await device.publishAsync(last, "", { qos: 2 });
  await device.endAsync();
  const numbers: number[][] = [];
  for (const id of webhookIds) {
    const topics = await eventually(
      async () => [...(await listed(bridge, id)).values()],
      (found) => found.includes(last),
    );
    numbers.push(topics.filter((topic) => topic !== last).map((topic) => Number(topic.split("/")[1])));
  }
  return numbers;
}

function assertEachOnce(found: number[][], sure: Iterable<number>): void {
  for (const [webhook, numbers] of found.entries()) {
    const distinct = new Set(numbers);
    const twice = numbers.filter((number, i) => numbers.indexOf(number) !== i);
    const missing = [...sure].filter((number) => !distinct.has(number));
    assert.deepEqual({ webhook, missing, twice }, { webhook, missing: [], twice: [] });
  }
}

const sequence = (from: number, count: number) => Array.from({ length: count }, (_, i) => from + i);
/** Mosquitto logs the messages it resends, which a bridge without its ledger would take for new ones. */
const sentAgain = (log: string) => log.match(/Sending PUBLISH to causeway-uplink-\d+ \(d1, q2/g)?.length ?? 0;

/**
 * Publishes slices, and causes a fault a random time after the first message of each.
 * @param first number of slices published before
 * @returns the numbers that the broker acknowledged
 */
async function through(
  faults: (() => Promise<void>)[],
  { bridge, url, webhookId, random }: { bridge(): TestBridge; url: string; webhookId: string; random(): number },
  first = 0,
): Promise<Set<number>> {
  const slices: Promise<Set<number>>[] = [];
  for (const [i, fault] of faults.entries()) {
    const before = await waiting(bridge(), webhookId);
    slices.push(publishAll(url, sequence((first + i) * SLICE, SLICE)));
    await eventually(
      () => waiting(bridge(), webhookId),
      (count) => count !== before,
    );
    await delay(random() * LIFE_MS);
    await fault();
  }
  return new Set((await Promise.all(slices)).flatMap((acknowledged) => [...acknowledged]));
}

describe(`QoS 2, seed ${SEED}`, () => {
  const random = randomFrom(SEED);

  for (const { protocol, store } of [
    { protocol: "5", store: "Redis" },
    { protocol: "3.1.1", store: "Redis" },
    { protocol: "5", store: "the embedded store" },
  ]) {
    it(`survives kill -9 of the bridge: Mosquitto with MQTT ${protocol}, ${store}`, {
      ...requireOrSkip("mosquitto", ...(store === "Redis" ? ["redis-server"] : [])),
    }, async (t: TestContext) => {
      const mosquitto = await startMosquitto();
      const redis = store === "Redis" ? await startRedis() : undefined;
      const bridge = await startTestBridge({
        MQTT_URL: mosquitto.url,
        MQTT_PROTOCOL: protocol,
        ...(redis && { STORE_URL: redis.url }),
      });
      t.after(async () => {
        if (bridge.running) await bridge.kill();
        await mosquitto.stop();
        await redis?.stop();
      });
      const ids = await registerBoth(bridge);
      const kill = async () => {
        await bridge.kill();
        await bridge.start();
      };
      const setting = { bridge: () => bridge, url: mosquitto.url, webhookId: ids[0]!, random };
      const acknowledged = await through(Array(KILLS).fill(kill), setting);
      // On a quick machine a slice may be through before each kill.
      let kills = KILLS;
      for (; sentAgain(mosquitto.log) === 0 && kills < MOST_KILLS; kills++) {
        for (const number of await through([kill], setting, kills)) acknowledged.add(number);
      }
      assert.equal(acknowledged.size, kills * SLICE);
      assertEachOnce(await queued(bridge, ids, mosquitto.url), acknowledged);
      const again = sentAgain(mosquitto.log);
      t.diagnostic(`${again} of ${acknowledged.size} sent again by the broker`);
      assert.ok(again > 0, "no kill came while a message was under way");
    });
  }
});
