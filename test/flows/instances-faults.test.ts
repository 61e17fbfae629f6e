/** Two instances through an outage of the store: the receiving one goes on, and nothing is lost. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertBooksClose } from "../support/books.ts";
import type { TestBridge } from "../support/bridge.ts";
import { type Instances, receiverStatusOf, sentAgain, startInstances, untilAll } from "../support/instances.ts";
import { publishLoad, tally } from "../support/load.ts";
import { startRedis } from "../support/redis.ts";
import { requireOrSkip } from "../support/requirements.ts";

const CONCURRENCY = 10;
const PER_SECOND = 50;
const RETRY = { scheduleSeconds: Array(50).fill(1) };
const OUTAGE_MS = 10_000;
/** Several reconnect intervals. */
const LONG_ENOUGH_TO_CONNECT_MS = 3_000;

const connects = ({ mosquitto }: Instances) =>
  mosquitto.log.match(/New client connected from \S+ as causeway-uplink-0/g)?.length ?? 0;

describe("two instances and faults", { concurrency: 2, ...requireOrSkip("mosquitto", "redis-server") }, () => {
  it("the receiving instance goes on after an outage of the store, on the same connection", async (t) => {
    const instances = await startInstances(t);
    const { bridges, mosquitto, redis, receiver } = instances;
    const [a, b] = bridges as [TestBridge, TestBridge];
    await a.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry: RETRY });
    const load = publishLoad(mosquitto.url, { count: 1_000_000, perSecond: PER_SECOND });
    t.after(() => load.close());
    await receiver.until((calls) => calls.length >= 2 * PER_SECOND);

    await redis.kill();
    await delay(OUTAGE_MS); // the lease expires meanwhile
    const again = await startRedis({ port: redis.port, dir: redis.dir });
    t.after(() => again.stop());
    const count = await load.finish();
    await untilAll(receiver, count);
    const { missing, sameId, otherId } = tally(receiver.calls, count);
    t.diagnostic(`twice: ${sameId} calls, ${otherId} received again`);
    assert.deepEqual({ missing, otherId }, { missing: [], otherId: 0 });
    assert.ok(sameId <= 2 * CONCURRENCY, `${sameId} calls were made again`);
    assert.deepEqual([(await receiverStatusOf(a)).here, (await receiverStatusOf(b)).here], [true, false]);
    assert.equal(connects(instances), 1);
    await assertBooksClose(b, { receiver });
  });

  it("a session that breaks while the store is away is restored with the store", async (t) => {
    const instances = await startInstances(t, { count: 1, broker: { persistence: true } });
    const { bridges, mosquitto, redis, receiver } = instances;
    const [a] = bridges as [TestBridge];
    await a.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry: RETRY });
    const load = publishLoad(mosquitto.url, { count: 1_000_000, perSecond: PER_SECOND });
    t.after(() => load.close());
    await receiver.until((calls) => calls.length >= 2 * PER_SECOND);

    await redis.kill();
    await delay(OUTAGE_MS);
    await mosquitto.restart();
    await delay(LONG_ENOUGH_TO_CONNECT_MS);
    const count = await load.finish();
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
