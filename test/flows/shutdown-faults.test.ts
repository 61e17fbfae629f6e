/** SIGTERM under load while a part is away, frozen or silent: an orderly end in time, without loss. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { startTestBridge, type TestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { untilAll } from "../support/instances.ts";
import { publishLoad, tally } from "../support/load.ts";
import { type Mosquitto, startMosquitto } from "../support/mosquitto.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { startRedis, type TestRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const STOP_MS = 15_000;
const PER_SECOND = 200;
const CONCURRENCY = 10;
const HANG_MS = 60_000;

interface Parts {
  bridge: TestBridge;
  mosquitto: Mosquitto;
  redis: TestRedis;
  receiver: Receiver;
}

type Fault = (parts: Parts) => Promise<(() => unknown) | undefined>;

const redisAway: Fault = async (parts) => {
  const { port, dir } = parts.redis;
  await parts.redis.kill();
  return async () => {
    parts.redis = await startRedis({ port, dir });
  };
};
const redisStalled: Fault = async ({ redis }) => {
  redis.signal("SIGSTOP");
  return () => redis.signal("SIGCONT");
};
const brokerAway: Fault = async ({ mosquitto }) => {
  await mosquitto.stop(); // a SIGKILL would make Mosquitto lose the messages since its last save
  return () => mosquitto.restart();
};
const brokerStalled: Fault = async ({ mosquitto }) => {
  mosquitto.signal("SIGSTOP");
  return () => mosquitto.signal("SIGCONT");
};
const receiverHangs: Fault = async ({ receiver }) => {
  receiver.delayMs = HANG_MS;
  // Waits until the bridge has as many calls in flight as it may.
  const { length } = receiver.attempts;
  await receiver.untilCalled(length + CONCURRENCY);
  return () => {
    receiver.delayMs = 0;
  };
};
const all =
  (...faults: Fault[]): Fault =>
  async (parts) => {
    const ends: (() => unknown)[] = [];
    for (const fault of faults) ends.push((await fault(parts))!);
    return async () => {
      for (const end of ends) await end();
    };
  };

/** Faults by name; the bridge has noticed a part that is away, but not one that is frozen. */
const FAULTS: [what: string, fault: Fault, noticed: boolean][] = [
  ["Redis is away", redisAway, true],
  ["Redis stands still", redisStalled, false],
  ["the broker is away", brokerAway, true],
  ["the broker stands still", brokerStalled, false],
  ["the receiver hangs", receiverHangs, false],
  ["the receiver hangs, Redis and the broker stand still", all(receiverHangs, redisStalled, brokerStalled), false],
];
const sentAgain = ({ mosquitto }: Parts) =>
  mosquitto.log.match(/Sending PUBLISH to causeway-uplink-\d+ \(d1/g)?.length ?? 0;

describe("SIGTERM during a fault", {
  concurrency: 3,
  ...requireOrSkip("mosquitto", "redis-server"),
}, () => {
  for (const [what, fault, noticed] of FAULTS) {
    it(`ends in time with exit code 0 and loses nothing: ${what}`, { timeout: 120_000 }, async (t) => {
      const parts = await startParts(t);
      const { bridge, mosquitto, receiver } = parts;
      const retry = { scheduleSeconds: Array(50).fill(1) };
      await bridge.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry });
      const load = publishLoad(mosquitto.url, { count: 1_000_000, perSecond: PER_SECOND });
      t.after(() => load.close());
      await receiver.until((calls) => calls.length >= PER_SECOND);

      const end = await fault(parts);
      if (noticed) await bridge.readiness(503);
      const startedAt = performance.now();
      const exit = await bridge.stop();
      const took = Math.round(performance.now() - startedAt);
      t.diagnostic(`it took ${took} ms`);
      assert.deepEqual(exit, { code: 0, signal: null }, bridge.output);
      assert.ok(took < STOP_MS, `it took ${took} ms`);

      await end!();
      const count = await load.finish();
      await bridge.start();
      await untilAll(receiver, count);
      const { missing, sameId, otherId } = tally(receiver.calls, count);
      t.diagnostic(`${count} messages, twice: ${sameId} calls, ${otherId} received again`);
      assert.deepEqual(missing, []);
      assert.ok(sameId <= CONCURRENCY, `${sameId} calls were made again`);
      assert.ok(otherId <= sentAgain(parts), `${otherId} of ${sentAgain(parts)} sent again were received again`);
    });
  }
});

async function startParts(t: TestContext): Promise<Parts> {
  const mosquitto = await startMosquitto({ persistence: true });
  const redis = await startRedis({ dir: temporaryDirectory("redis") });
  const receiver = await startReceiver();
  const bridge = await startTestBridge({ MQTT_URL: mosquitto.url, STORE_URL: redis.url });
  const parts = { bridge, mosquitto, redis, receiver };
  t.after(async () => {
    if (bridge.running) await bridge.kill();
    await receiver.close();
    mosquitto.signal("SIGCONT");
    await mosquitto.stop();
    parts.redis.signal("SIGCONT");
    await parts.redis.stop();
  });
  return parts;
}
