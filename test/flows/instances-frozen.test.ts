/** Two instances, one of which freezes: they do not take the session from each other in turns, and lose nothing. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertBooksClose } from "../support/books.ts";
import type { TestBridge } from "../support/bridge.ts";
import { eventually } from "../support/eventually.ts";
import {
  type Instances,
  receiverStatusOf,
  sentAgain,
  startInstances,
  untilAll,
  untilHolds,
} from "../support/instances.ts";
import { publishLoad, tally } from "../support/load.ts";
import { requireOrSkip } from "../support/requirements.ts";

const CONCURRENCY = 10;
const PER_SECOND = 50;
const RETRY = { scheduleSeconds: Array(50).fill(1) };
/** Two instances that take a session from each other move it about once a second. */
const LONG_ENOUGH_TO_FIGHT_MS = 4_000;

const connects = ({ mosquitto }: Instances) =>
  mosquitto.log.match(/New client connected from \S+ as causeway-uplink-0/g)?.length ?? 0;

describe("two instances and faults", { concurrency: 2, ...requireOrSkip("mosquitto", "redis-server") }, () => {
  for (const protocol of ["5", "3.1.1"] as const) {
    it(`an instance that was frozen finds another receiving and leaves it there, MQTT ${protocol}`, async (t) => {
      const instances = await startInstances(t, { protocol });
      const { bridges, mosquitto, receiver } = instances;
      const [a, b] = bridges as [TestBridge, TestBridge];
      await a.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry: RETRY });
      const load = publishLoad(mosquitto.url, { count: 1_000_000, perSecond: PER_SECOND });
      t.after(() => load.close());
      await receiver.until((calls) => calls.length >= 2 * PER_SECOND);

      process.kill(a.pid, "SIGSTOP");
      const took = await untilHolds(b, performance.now());
      process.kill(a.pid, "SIGCONT");
      await eventually(
        () => receiverStatusOf(a),
        ({ here }) => !here,
      );
      await delay(LONG_ENOUGH_TO_FIGHT_MS);
      assert.equal(connects(instances), 2, "each connected once");
      assert.equal((await receiverStatusOf(b)).here, true);
      assert.equal((await receiverStatusOf(a)).holder, (await receiverStatusOf(b)).holder);
      await a.readiness(200);

      const count = await load.finish();
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
});
