/** Two instances on one Redis: the other takes over when the receiving one stops or is killed. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertBooksClose } from "../support/books.ts";
import type { TestBridge } from "../support/bridge.ts";
import { receiverStatusOf, sentAgain, startInstances, untilAll, untilHolds } from "../support/instances.ts";
import { publishLoad, tally } from "../support/load.ts";
import type { Receiver } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";

const CONCURRENCY = 10;
const PER_SECOND = 75;
const TAKE_OVER_MS = 10_000;
const HAND_OVER_MS = 2_000;

/** Returns the longest time without a received message, in milliseconds, from the events' `time`. */
function longestGap({ calls }: Receiver): number {
  const times = calls.map(({ body }) => Date.parse(JSON.parse(body.toString()).time)).sort((a, b) => a - b);
  return Math.max(...times.slice(1).map((time, i) => time - times[i]!));
}

// At the same time: both mostly wait for locks and leases of a killed bridge to expire.
describe("two instances", { concurrency: true }, () => {
  for (const protocol of ["5", "3.1.1"] as const) {
    describe(`two instances, MQTT ${protocol}`, {
      ...requireOrSkip("mosquitto", "redis-server"),
      concurrency: 1,
    }, () => {
      it("take over from a killed receiver, and every message arrives", async (t) => {
        const instances = await startInstances(t, { protocol });
        const { bridges, mosquitto, receiver } = instances;
        const [a, b] = bridges as [TestBridge, TestBridge];
        const retry = { scheduleSeconds: Array(50).fill(1) };
        await b.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry });
        const load = publishLoad(mosquitto.url, { count: 1_000_000, perSecond: PER_SECOND });
        t.after(() => load.close());
        await receiver.until((calls) => calls.length >= 2 * PER_SECOND);
        assert.equal((await receiverStatusOf(a)).here, true);

        const killed = performance.now();
        await a.kill();
        const took = await untilHolds(b, killed);
        const count = await load.finish();
        await untilAll(receiver, count);

        const { missing, sameId, otherId } = tally(receiver.calls, count);
        t.diagnostic(
          `taken over after ${Math.round(took)} ms; of ${count}: ${missing.length} lost, twice: ${sameId} calls under way, ` +
            `${otherId} of ${sentAgain(instances)} that the broker sent again`,
        );
        assert.deepEqual(missing, []);
        assert.ok(took <= scaled(TAKE_OVER_MS), `after ${took} ms`);
        assert.ok(sameId <= CONCURRENCY, `${sameId} calls were made again`);
        assert.ok(
          otherId <= sentAgain(instances),
          `${otherId} came again, and ${sentAgain(instances)} were unacknowledged`,
        );
        assert.match((await b.readiness(200)).body.checks.uplink.detail ?? "", /^$/);
        await assertBooksClose(b, { receiver });
      });

      it("take over at once from a receiver that stops, and deliver nothing twice", async (t) => {
        const instances = await startInstances(t, { protocol });
        const { bridges, mosquitto, receiver } = instances;
        const [a, b] = bridges as [TestBridge, TestBridge];
        await a.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY });
        const load = publishLoad(mosquitto.url, { count: 1_000_000, perSecond: PER_SECOND });
        t.after(() => load.close());
        await receiver.until((calls) => calls.length >= 2 * PER_SECOND);

        const stopped = performance.now();
        const exit = a.stop();
        const took = await untilHolds(b, stopped);
        assert.deepEqual(await exit, { code: 0, signal: null });
        const count = await load.finish();
        await untilAll(receiver, count);

        const { missing, sameId, otherId } = tally(receiver.calls, count);
        const gap = longestGap(receiver);
        t.diagnostic(`taken over ${Math.round(took)} ms after SIGTERM, ${gap} ms without a message`);
        assert.deepEqual({ missing, sameId, otherId }, { missing: [], sameId: 0, otherId: 0 });
        assert.ok(took <= scaled(HAND_OVER_MS), `after ${took} ms`);
        assert.ok(gap <= scaled(HAND_OVER_MS), `nothing was received for ${gap} ms`);
        await assertBooksClose(b, { receiver });

        // Hand over again, to a new instance.
        const c = await instances.add();
        assert.equal((await receiverStatusOf(c)).here, false);
        const again = performance.now();
        const exitB = b.stop();
        await untilHolds(c, again);
        assert.deepEqual(await exitB, { code: 0, signal: null });
      });
    });
  }
});
