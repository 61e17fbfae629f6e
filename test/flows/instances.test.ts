/** Two instances on one Redis: one receives, and the other takes over when it stops or is killed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertBooksClose } from "../support/books.ts";
import type { TestBridge } from "../support/bridge.ts";
import { type Instances, laneOf, startInstances, untilAll, untilHolds } from "../support/instances.ts";
import { publishLoad, tally } from "../support/load.ts";
import type { Receiver } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";

const CONCURRENCY = 10;
const TAKE_OVER_MS = 10_000;
const HAND_OVER_MS = 2_000;
/** Shorter than the lease. */
const AT_ONCE_MS = 3_000;

/** Returns the longest time without a received message, in milliseconds, from the events' `time`. */
function longestGap({ calls }: Receiver): number {
  const times = calls.map(({ body }) => Date.parse(JSON.parse(body.toString()).time)).sort((a, b) => a - b);
  return Math.max(...times.slice(1).map((time, i) => time - times[i]!));
}

/** Messages that Mosquitto sent again to the uplink session because they had no acknowledgement. */
const sentAgain = ({ mosquitto }: Instances) =>
  mosquitto.log.match(/Sending PUBLISH to causeway-uplink-\d+ \(d1/g)?.length ?? 0;

for (const protocol of ["5", "3.1.1"] as const) {
  describe(`two instances, MQTT ${protocol}`, {
    concurrency: false,
    ...requireOrSkip("mosquitto", "redis-server"),
  }, () => {
    it("elect one receiver, and both report it", { timeout: 60_000 }, async (t) => {
      const { bridges, mosquitto } = await startInstances(t, { protocol });
      const [a, b] = bridges as [TestBridge, TestBridge];
      await a.readiness(200);
      const [laneA, laneB] = [await laneOf(a), await laneOf(b)];
      assert.deepEqual([laneA.lane, laneB.lane], [0, 0]);
      assert.deepEqual([laneA.here, laneB.here], [true, false]);
      assert.equal(laneA.holder, laneB.holder);
      assert.equal((await a.api("GET", "/v1/status")).body.instance, laneA.holder);
      assert.notEqual((await b.api("GET", "/v1/status")).body.instance, laneA.holder);
      assert.deepEqual(laneB.sessions, []);
      const { checks } = (await b.readiness(200)).body;
      assert.deepEqual(checks.uplink, { ok: true, detail: `held by ${laneA.holder}` });
      // When the other instance answers, the receiving one has subscribed the filter.
      for (let i = 0; i < 5; i++) {
        await b.api("POST", "/v1/webhooks", { url: "http://127.0.0.1:9/", topics: [`w/${i}`] });
        assert.equal((await laneOf(a)).sessions[0]!.granted, i + 1);
      }
      assert.equal(
        mosquitto.log.match(/New client connected from \S+ as causeway-uplink-0/g)!.length,
        1,
        "nobody fought",
      );
    });

    it("take over from a killed receiver, and every message arrives", { timeout: 120_000 }, async (t) => {
      const instances = await startInstances(t, { protocol });
      const { bridges, mosquitto, receiver } = instances;
      const [a, b] = bridges as [TestBridge, TestBridge];
      const count = 6_000;
      const perSecond = 300;
      const retry = { scheduleSeconds: Array(50).fill(1) };
      await b.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry });
      const load = publishLoad(mosquitto.url, { count, perSecond });
      t.after(() => load.close());
      await receiver.until((calls) => calls.length >= 3 * perSecond);
      assert.equal((await laneOf(a)).here, true);

      const killed = performance.now();
      await a.kill();
      const took = await untilHolds(b, killed);
      await load.done;
      await untilAll(receiver, count);

      const { missing, sameId, otherId } = tally(receiver.calls, count);
      t.diagnostic(
        `taken over after ${Math.round(took)} ms; of ${count}: ${missing.length} lost, twice: ${sameId} calls under way, ` +
          `${otherId} of ${sentAgain(instances)} that the broker sent again`,
      );
      assert.deepEqual(missing, []);
      assert.ok(took <= TAKE_OVER_MS, `after ${took} ms`);
      assert.ok(sameId <= CONCURRENCY, `${sameId} calls were made again`);
      assert.ok(
        otherId <= sentAgain(instances),
        `${otherId} came again, and ${sentAgain(instances)} were unacknowledged`,
      );
      assert.match((await b.readiness(200)).body.checks.uplink.detail ?? "", /^$/);
      await assertBooksClose(b, { receiver });
    });

    it("let a lone instance receive again as soon as it restarts after a kill", { timeout: 60_000 }, async (t) => {
      const { bridges } = await startInstances(t, { protocol, count: 1 });
      const [a] = bridges as [TestBridge];
      const { holder } = await laneOf(a);
      await a.kill();
      await a.start();
      const took = await untilHolds(a, performance.now());
      t.diagnostic(`it received ${Math.round(took)} ms after it was up`);
      assert.ok(took <= AT_ONCE_MS, `${took} ms after it was up`);
      assert.equal((await laneOf(a)).holder, holder);
    });

    it("take over at once from a receiver that stops, and deliver nothing twice", { timeout: 120_000 }, async (t) => {
      const instances = await startInstances(t, { protocol });
      const { bridges, mosquitto, receiver } = instances;
      const [a, b] = bridges as [TestBridge, TestBridge];
      const count = 3_000;
      const perSecond = 300;
      await a.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY });
      const load = publishLoad(mosquitto.url, { count, perSecond });
      t.after(() => load.close());
      await receiver.until((calls) => calls.length >= 3 * perSecond);

      const stopped = performance.now();
      const exit = a.stop();
      const took = await untilHolds(b, stopped);
      assert.deepEqual(await exit, { code: 0, signal: null });
      await load.done;
      await untilAll(receiver, count);

      const { missing, sameId, otherId } = tally(receiver.calls, count);
      const gap = longestGap(receiver);
      t.diagnostic(`taken over ${Math.round(took)} ms after SIGTERM, ${gap} ms without a message`);
      assert.deepEqual({ missing, sameId, otherId }, { missing: [], sameId: 0, otherId: 0 });
      assert.ok(took <= HAND_OVER_MS, `after ${took} ms`);
      assert.ok(gap <= HAND_OVER_MS, `nothing was received for ${gap} ms`);
      await assertBooksClose(b, { receiver });

      // Hand over again, to a new instance.
      const c = await instances.add();
      assert.equal((await laneOf(c)).here, false);
      const again = performance.now();
      const exitB = b.stop();
      await untilHolds(c, again);
      assert.deepEqual(await exitB, { code: 0, signal: null });
    });
  });
}
