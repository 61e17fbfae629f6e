/** Two instances through faults: they do not take the session from each other in turns, and lose nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertBooksClose } from "../support/books.ts";
import type { TestBridge } from "../support/bridge.ts";
import { type Instances, laneOf, startInstances, untilAll, untilHolds } from "../support/instances.ts";
import { publishLoad, tally } from "../support/load.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const CONCURRENCY = 10;
const PER_SECOND = 200;
const RETRY = { scheduleSeconds: Array(50).fill(1) };
/** Two instances that take a session from each other move it about once a second. */
const LONG_ENOUGH_TO_FIGHT_MS = 4_000;
const OUTAGE_MS = 10_000;

const connects = ({ mosquitto }: Instances) =>
  mosquitto.log.match(/New client connected from \S+ as causeway-uplink-0/g)?.length ?? 0;
const sentAgain = ({ mosquitto }: Instances) =>
  mosquitto.log.match(/Sending PUBLISH to causeway-uplink-\d+ \(d1/g)?.length ?? 0;

describe("two instances and faults", { ...requireOrSkip("mosquitto", "redis-server") }, () => {
  for (const protocol of ["5", "3.1.1"] as const) {
    it(`an instance that was frozen finds another receiving and leaves it there, MQTT ${protocol}`, {
      timeout: 120_000,
    }, async (t) => {
      const instances = await startInstances(t, { protocol });
      const { bridges, mosquitto, receiver } = instances;
      const [a, b] = bridges as [TestBridge, TestBridge];
      const count = 25 * PER_SECOND;
      await a.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry: RETRY });
      const load = publishLoad(mosquitto.url, { count, perSecond: PER_SECOND });
      t.after(() => load.close());
      await receiver.until((calls) => calls.length >= 2 * PER_SECOND);

      process.kill(a.pid, "SIGSTOP");
      const took = await untilHolds(b, performance.now());
      process.kill(a.pid, "SIGCONT");
      while ((await laneOf(a)).here) await delay(10);
      await delay(LONG_ENOUGH_TO_FIGHT_MS);
      assert.equal(connects(instances), 2, "each connected once");
      assert.equal((await laneOf(b)).here, true);
      assert.equal((await laneOf(a)).holder, (await laneOf(b)).holder);
      await a.readiness(200);

      await load.done;
      await untilAll(receiver, count);
      const { missing, sameId, otherId } = tally(receiver.calls, count);
      t.diagnostic(
        `after ${Math.round(took)} ms; twice: ${sameId} calls, ${otherId} of ${sentAgain(instances)} sent again`,
      );
      assert.deepEqual(missing, []);
      assert.ok(sameId <= CONCURRENCY, `${sameId} calls were made again`);
      assert.ok(otherId <= sentAgain(instances), `${otherId} messages came again`);
      await assertBooksClose(a, { receiver });
    });
  }

  it("the receiving instance goes on after an outage of the store, on the same connection", {
    timeout: 120_000,
  }, async (t) => {
    const instances = await startInstances(t);
    const { bridges, mosquitto, redis, receiver } = instances;
    const [a, b] = bridges as [TestBridge, TestBridge];
    const count = 20 * PER_SECOND;
    await a.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry: RETRY });
    const load = publishLoad(mosquitto.url, { count, perSecond: PER_SECOND });
    t.after(() => load.close());
    await receiver.until((calls) => calls.length >= 2 * PER_SECOND);

    await redis.kill();
    await delay(OUTAGE_MS); // the lease expires meanwhile
    const again = await startRedis({ port: redis.port, dir: redis.dir });
    t.after(() => again.stop());
    await load.done;
    await untilAll(receiver, count);
    const { missing, sameId, otherId } = tally(receiver.calls, count);
    t.diagnostic(`twice: ${sameId} calls, ${otherId} received again`);
    assert.deepEqual({ missing, otherId }, { missing: [], otherId: 0 });
    assert.ok(sameId <= 2 * CONCURRENCY, `${sameId} calls were made again`);
    assert.deepEqual([(await laneOf(a)).here, (await laneOf(b)).here], [true, false]);
    assert.equal(connects(instances), 1);
    await assertBooksClose(b, { receiver });
  });

  it("a session that breaks while the store is away is restored with the store", {
    timeout: 120_000,
  }, async (t) => {
    const instances = await startInstances(t, { count: 1, broker: { persistence: true } });
    const { bridges, mosquitto, redis, receiver } = instances;
    const [a] = bridges as [TestBridge];
    const count = 15 * PER_SECOND;
    await a.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry: RETRY });
    const load = publishLoad(mosquitto.url, { count, perSecond: PER_SECOND });
    t.after(() => load.close());
    await receiver.until((calls) => calls.length >= 2 * PER_SECOND);

    await redis.kill();
    await delay(OUTAGE_MS);
    await mosquitto.restart();
    await load.done;
    assert.equal(connects(instances), 1, "it does not come back while another one may have its place");
    const again = await startRedis({ port: redis.port, dir: redis.dir });
    t.after(() => again.stop());
    await untilAll(receiver, count);
    const { missing, otherId } = tally(receiver.calls, count);
    assert.deepEqual(missing, []);
    t.diagnostic(`${otherId} of ${sentAgain(instances)} received again`);
    assert.ok(otherId <= sentAgain(instances));
    assert.equal(connects(instances), 2);
    await a.readiness(200);
    await assertBooksClose(a, { receiver });
  });
});
