/** A batch that waits longer than the locks of its jobs last. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { connectAsync } from "mqtt";
import { eventually } from "../support/eventually.ts";
import { startReceiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis } from "../support/setups.ts";

/** A lock lasts 15 s, and the check for stalled jobs runs every 10 s. */
const WAIT_MS = 32_000;
const COUNT = 20;

describe("a long batch", { concurrency: 2 }, () => {
  for (const kind of [embedded, mosquittoAndRedis("5")]) {
    it(
      `keeps its jobs while a batch waits longer than their locks last, and sends it at once on exit: ${kind.name}`,
      kind.options,
      async (t) => {
        const [setup, receiver] = await Promise.all([kind.start(), startReceiver()]);
        t.after(async () => {
          await setup.close();
          await receiver.close();
        });
        const { bridge } = setup;
        const batch = { maxSize: 500, maxWaitMs: 60_000 };
        const { id } = await bridge.register({ url: receiver.url, topics: ["long"], batch });
        const counts = async () => (await bridge.api("GET", `/v1/webhooks/${id}`)).body.counts;
        const device = await connectAsync(setup.brokerUrl);
        for (let i = 0; i < COUNT; i++) await device.publishAsync("long", String(i), { qos: 1 });
        await device.endAsync();
        await eventually(counts, ({ active }) => active === COUNT);
        for (const end = Date.now() + WAIT_MS; Date.now() < end; await delay(1_000)) {
          const { active, pending, retrying } = await counts();
          assert.deepEqual({ active, pending, retrying }, { active: COUNT, pending: 0, retrying: 0 });
        }
        assert.equal(receiver.attempts.length, 0);
        const ended = bridge.stop();
        await receiver.untilCalled(1);
        assert.equal((await ended).code, 0);
        assert.equal(receiver.attempts.length, 1);
        const events: { data: unknown }[] = JSON.parse(receiver.attempts[0]!.body.toString());
        const numbers = events.map(({ data }) => Number(data)).sort((a, b) => a - b);
        assert.deepEqual(numbers, [...Array(COUNT).keys()]);
        await bridge.start();
        await eventually(counts, ({ succeeded, active, pending }) => succeeded === COUNT && active + pending === 0);
      },
    );
  }
});
