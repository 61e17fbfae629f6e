/** kill -9 at random moments: every acknowledged message reaches the receiver. `KILLS` sets the number of kills. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertBooksClose } from "../support/books.ts";
import { publishLoad, tally, untilDelivered } from "../support/load.ts";
import { startReceiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis } from "../support/setups.ts";

const KILLS = Number(process.env.KILLS ?? 2);
/** Duration of the load for each kill. */
const SLICE_SECONDS = 2;
const CONCURRENCY = 20;
/** Upper bound of messages in flight at the embedded broker at one kill; Mosquitto logs its own number. */
const UNACKNOWLEDGED = 200;

for (const { kind, perSecond } of [
  { kind: mosquittoAndRedis("5"), perSecond: 1_000 },
  { kind: embedded, perSecond: 120 },
]) {
  const count = perSecond * SLICE_SECONDS * (KILLS + 1);
  describe(`SIGKILL of the bridge: ${kind.name}`, kind.options, () => {
    it(`delivers ${count} messages through ${KILLS} kills`, async (t) => {
      const setup = await kind.start();
      const receiver = await startReceiver();
      t.after(async () => {
        await setup.close();
        await receiver.close();
      });
      const retry = { scheduleSeconds: Array(50).fill(1) };
      await setup.bridge.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY, retry });
      const load = publishLoad(setup.brokerUrl, { count, perSecond });
      t.after(() => load.close());

      for (let i = 0; i < KILLS; i++) {
        await delay((0.5 + Math.random()) * SLICE_SECONDS * 1_000);
        await setup.bridge.kill();
        await setup.bridge.start();
      }
      await load.done;
      await untilDelivered(receiver, count, 120_000);

      const { missing, sameId, otherId } = tally(receiver.calls, count);
      t.diagnostic(
        `${count} sent, ${missing.length} missing, duplicates: ${sameId} same id, ${otherId} received again`,
      );
      assert.deepEqual(missing, []);
      assert.ok(sameId <= KILLS * CONCURRENCY, `${sameId} calls were made again, more than were under way`);
      const sentAgain = setup.mosquitto?.log.match(/Sending PUBLISH to causeway-uplink-0 \(d1/g)?.length;
      const unacknowledged = setup.mosquitto ? (sentAgain ?? 0) : KILLS * UNACKNOWLEDGED;
      assert.ok(otherId <= unacknowledged, `${otherId} messages came again, and ${unacknowledged} were unacknowledged`);
      await assertBooksClose(setup.bridge, { receiver });
    });
  });
}
