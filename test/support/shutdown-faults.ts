/** Parts of the tests that stop the bridge while a part is away, frozen or silent. */
import assert from "node:assert/strict";
import { it, type TestContext } from "node:test";
import { startTestBridge, type TestBridge } from "./bridge.ts";
import { temporaryDirectory } from "./directories.ts";
import { sentAgain, untilAll } from "./instances.ts";
import { publishLoad, tally } from "./load.ts";
import { type Mosquitto, startMosquitto } from "./mosquitto.ts";
import { type Receiver, startReceiver } from "./receiver.ts";
import { startRedis, type TestRedis } from "./redis.ts";
import { scaled } from "./speed.ts";

const STOP_MS = 15_000;
const PER_SECOND = 50;
const CONCURRENCY = 10;
const HANG_MS = 60_000;

interface Parts {
  bridge: TestBridge;
  mosquitto: Mosquitto;
  redis: TestRedis;
  receiver: Receiver;
}

type Fault = (parts: Parts) => Promise<(() => unknown) | undefined>;

export const redisAway: Fault = async (parts) => {
  const { port, dir } = parts.redis;
  await parts.redis.kill();
  return async () => {
    parts.redis = await startRedis({ port, dir });
  };
};
export const redisStalled: Fault = async ({ redis }) => {
  redis.signal("SIGSTOP");
  return () => redis.signal("SIGCONT");
};
export const brokerAway: Fault = async ({ mosquitto }) => {
  await mosquitto.stop(); // a SIGKILL would make Mosquitto lose the messages since its last save
  return () => mosquitto.restart();
};
export const brokerStalled: Fault = async ({ mosquitto }) => {
  mosquitto.signal("SIGSTOP");
  return () => mosquitto.signal("SIGCONT");
};
export const receiverHangs: Fault = async ({ receiver }) => {
  receiver.delayMs = HANG_MS;
  // Waits until the bridge has as many calls in flight as it may.
  const { length } = receiver.attempts;
  await receiver.untilCalled(length + CONCURRENCY);
  return () => {
    receiver.delayMs = 0;
  };
};
export const all =
  (...faults: Fault[]): Fault =>
  async (parts) => {
    const ends: (() => unknown)[] = [];
    for (const fault of faults) ends.push((await fault(parts))!);
    return async () => {
      for (const end of ends) await end();
    };
  };

/** Faults by name; the bridge has noticed a part that is away, but not one that is frozen. */
export type Faults = readonly [what: string, fault: Fault, noticed: boolean][];

/** Returns how often the load published a message anew, because its publish failed although the broker had received it. */
function publishedAgain({ mosquitto }: Parts, count: number): number {
  return (mosquitto.log.match(/Received PUBLISH from load-/g)?.length ?? 0) - count;
}

/** Declares a test for each fault. */
export function endsInTime(faults: Faults): void {
  for (const [what, fault, noticed] of faults) {
    it(`ends in time with exit code 0 and loses nothing: ${what}`, async (t) => {
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
      assert.ok(took < scaled(STOP_MS), `it took ${took} ms`);

      await end!();
      const count = await load.finish();
      await bridge.start();
      await untilAll(receiver, count);
      const { missing, sameId, otherId } = tally(receiver.calls, count);
      t.diagnostic(`${count} messages, twice: ${sameId} calls, ${otherId} received again`);
      assert.deepEqual(missing, []);
      assert.ok(sameId <= CONCURRENCY, `${sameId} calls were made again`);
      const again = sentAgain(parts) + publishedAgain(parts, count);
      assert.ok(otherId <= again, `${otherId} of ${again} sent again were received again`);
    });
  }
}

async function startParts(t: TestContext): Promise<Parts> {
  const parts = {} as Partial<Parts>;
  // Before the first start: what runs after one that failed would keep this process alive.
  t.after(async () => {
    if (parts.bridge?.running) await parts.bridge.kill();
    await parts.receiver?.close();
    parts.mosquitto?.signal("SIGCONT");
    await parts.mosquitto?.stop();
    parts.redis?.signal("SIGCONT");
    await parts.redis?.stop();
  });
  parts.mosquitto = await startMosquitto({ persistence: true });
  parts.redis = await startRedis({ dir: temporaryDirectory("redis") });
  parts.receiver = await startReceiver();
  parts.bridge = await startTestBridge({ MQTT_URL: parts.mosquitto.url, STORE_URL: parts.redis.url });
  return parts as Parts;
}
