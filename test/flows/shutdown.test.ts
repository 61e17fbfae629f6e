/** SIGTERM under load: an orderly end in time without loss. `STOPS` sets the number of restarts. */

import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertBooksClose } from "../support/books.ts";
import { publishLoad, tally, untilDelivered } from "../support/load.ts";
import { startReceiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis } from "../support/setups.ts";
import { scaled } from "../support/speed.ts";

const STOP_MS = 15_000;
const STOPS = Number(process.env.STOPS ?? 1);
const CONCURRENCY = 10;

describe("SIGTERM under load", () => {
  for (const { kind, perSecond } of [
    { kind: mosquittoAndRedis("5"), perSecond: 150 },
    { kind: mosquittoAndRedis("3.1.1"), perSecond: 150 },
    { kind: embedded, perSecond: 100 },
  ]) {
    it(`loses nothing and receives nothing twice: ${kind.name}`, kind.options, async (t) => {
      const count = perSecond * (STOPS + 2);
      const setup = await kind.start();
      const receiver = await startReceiver();
      t.after(async () => {
        await setup.close();
        await receiver.close();
      });
      const retry = { scheduleSeconds: Array(20).fill(1) };
      await setup.bridge.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry });
      const load = publishLoad(setup.brokerUrl, { count, perSecond });
      t.after(() => load.close());

      for (let i = 1; i <= STOPS; i++) {
        await receiver.until((calls) => calls.length >= (i * count) / (STOPS + 2));
        const { exit, took } = await timed(() => setup.bridge.stop());
        assert.deepEqual(exit, { code: 0, signal: null });
        assert.ok(took < scaled(STOP_MS), `it took ${took} ms`);
        t.diagnostic(`stop ${i} took ${took} ms`);
        await setup.bridge.start();
      }
      await load.done;
      await untilDelivered(receiver, count, 60_000);

      const { missing, sameId, otherId } = tally(receiver.calls, count);
      t.diagnostic(`${STOPS} stops, duplicates: ${sameId} same id, ${otherId} received again`);
      assert.deepEqual(missing, []);
      assert.equal(sameId, 0, "calls under way were waited for");
      // Resends by the embedded broker's own publisher do not count.
      if (setup.mosquitto) assert.equal(otherId, 0, "what was received was acknowledged");
      await assertBooksClose(setup.bridge, { receiver });
    });
  }
});

async function timed<T>(act: () => Promise<T>): Promise<{ exit: T; took: number }> {
  const startedAt = performance.now();
  const exit = await act();
  return { exit, took: Math.round(performance.now() - startedAt) };
}
