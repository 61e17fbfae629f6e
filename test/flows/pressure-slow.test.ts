/** Redis or a receiver slower than the devices: no backlog builds up in the bridge itself. */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { metricSeries } from "../support/attack.ts";
import { assertBooksClose, ledgersOf } from "../support/books.ts";
import { startTestBridge } from "../support/bridge.ts";
import { publishLoad, tally, untilDelivered } from "../support/load.ts";
import { startMosquitto } from "../support/mosquitto.ts";
import { watchMemory } from "../support/pressure.ts";
import { startProxy } from "../support/proxy.ts";
import { startReceiver } from "../support/receiver.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";

const PER_SECOND = 1_000;
const COUNT = 4_000;
const MAX_GROWTH_MB = 100;
/** The webhook's default: while the oldest are discarded, as many more may leave the queue for an attempt. */
const CONCURRENCY = 10;

describe("a part slower than the devices", requireOrSkip("mosquitto", "redis-server"), () => {
  it("Redis leaves the backlog at the broker", async (t) => {
    const { bridge, mosquitto, receiver, proxy } = await startParts(t);
    await bridge.register({ url: receiver.url, topics: ["load/#"] });
    const memory = watchMemory(bridge.pid);
    t.after(() => memory.stop());
    proxy.delayMs = 200;
    const load = publishLoad(mosquitto.url, { count: COUNT, perSecond: PER_SECOND, window: 1_000 });
    t.after(() => load.close());
    await load.done;
    assert.ok(receiver.calls.length < COUNT / 2, `${receiver.calls.length} calls: Redis was not slow`);
    const asked = Date.now();
    const { body } = await bridge.api("POST", "/v1/messages", { topic: "to/x", payload: 1 });
    assert.equal(body.outcome, "acknowledged");
    assert.ok(Date.now() - asked < scaled(1_000), `a publish took ${Date.now() - asked} ms`);
    await delay(2_000);
    proxy.delayMs = 0;
    await untilDelivered(receiver, COUNT, 60_000);
    await assertBooksClose(bridge, { receiver });
    await bridge.readiness(200);
    assert.ok(memory.grown <= MAX_GROWTH_MB, `the process grew by ${memory.grown} MB`);
    t.diagnostic(`the process grew by ${memory.grown | 0} MB`);
  });

  it("a receiver makes the bridge discard and count the oldest deliveries", async (t) => {
    const max = 1_000;
    const { bridge, mosquitto, receiver } = await startParts(t, { MAX_WAITING_DELIVERIES: String(max) });
    const { id } = await bridge.register({ url: receiver.url, topics: ["load/#"] });
    const memory = watchMemory(bridge.pid);
    t.after(() => memory.stop());
    receiver.delayMs = 500;
    const load = publishLoad(mosquitto.url, { count: COUNT, perSecond: PER_SECOND, window: 1_000 });
    t.after(() => load.close());
    await load.done;
    let most = 0;
    for (let enqueued = 0, waiting = COUNT; enqueued < COUNT || waiting > max + max / 10; await delay(100)) {
      ({ enqueued, waiting } = (await ledgersOf(bridge)).deliveries);
      most = Math.max(most, waiting);
    }
    assert.ok(most <= max * 2, `${most} were waiting`);
    await bridge.readiness(200);
    receiver.delayMs = 0;
    const { deliveries } = await assertBooksClose(bridge);
    const { distinct, missing } = tally(receiver.calls, COUNT);
    assert.deepEqual(deliveries, {
      ...{ enqueued: COUNT, waiting: 0, failed: 0 },
      ...{ succeeded: distinct, discarded: missing.length },
    });
    assert.ok(missing.length >= COUNT / 4, `only ${missing.length} fell out`);
    assert.ok(missing.at(-1)! < COUNT - max + CONCURRENCY, `${missing.at(-1)} fell out, and was none of the oldest`);
    const counted = (await metricSeries(bridge)).get(`causeway_deliveries_discarded_total{webhook="${id}"}`);
    assert.equal(counted, missing.length);
    assert.ok(memory.grown <= MAX_GROWTH_MB, `the process grew by ${memory.grown} MB`);
    t.diagnostic(
      `${missing.length} fell out; at most ${most} were waiting; the process grew by ${memory.grown | 0} MB`,
    );
  });
});

async function startParts(t: TestContext, env = {}) {
  const mosquitto = await startMosquitto();
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  const bridge = await startTestBridge({
    MQTT_URL: mosquitto.url,
    STORE_URL: `redis://127.0.0.1:${proxy.port}`,
    ...env,
  });
  const receiver = await startReceiver();
  t.after(async () => {
    if (bridge.running) await bridge.stop();
    await receiver.close();
    await mosquitto.stop();
    await proxy.close();
    await redis.stop();
  });
  return { bridge, mosquitto, receiver, proxy };
}
