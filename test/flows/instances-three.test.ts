/** Three instances while the receiving one is killed twice in a row: QoS 1 and QoS 2 messages keep arriving. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { assertBooksClose } from "../support/books.ts";
import { receiverStatusOf, sentAgain, startInstances, untilAll, untilHolds } from "../support/instances.ts";
import { publishLoad, tally } from "../support/load.ts";
import type { Receiver } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";

const CONCURRENCY = 10;
const PER_SECOND = 40;
const TAKE_OVER_MS = 10_000;
const KILLS = 2;

const callsAt = ({ calls }: Receiver, path: string) => calls.filter((call) => call.path === path);

function untilAllAt(receiver: Receiver, path: string, count: number): Promise<void> {
  return untilAll({ until: (holds, ms) => receiver.until(() => holds(callsAt(receiver, path)), ms) }, count);
}

describe("three instances", { concurrency: 2, ...requireOrSkip("mosquitto", "redis-server") }, () => {
  for (const protocol of ["5", "3.1.1"] as const) {
    it(`lose nothing when two receivers in a row are killed, MQTT ${protocol}`, async (t) => {
      const instances = await startInstances(t, { protocol, count: 3 });
      const { bridges, mosquitto, receiver } = instances;
      const loads = [];
      for (const qos of [1, 2] as const) {
        await bridges[2]!.register({
          url: `${receiver.url}/qos${qos}`,
          topics: [`qos${qos}/#`],
          qos,
          concurrency: CONCURRENCY,
          retry: { scheduleSeconds: Array(50).fill(1) },
        });
        const load = publishLoad(mosquitto.url, { count: 1_000_000, perSecond: PER_SECOND, qos, topic: `qos${qos}` });
        t.after(() => load.close());
        loads.push(load);
      }
      await receiver.until((calls) => calls.length >= 2 * PER_SECOND);

      const took: number[] = [];
      const left = [...bridges];
      for (let i = 0; i < KILLS; i++) {
        const lanes = await Promise.all(left.map(receiverStatusOf));
        const [holder] = left.splice(
          lanes.findIndex(({ here }) => here),
          1,
        );
        const killedAt = performance.now();
        await holder!.kill();
        took.push(await Promise.any(left.map((bridge) => untilHolds(bridge, killedAt))));
        const { length } = receiver.calls;
        await receiver.until((calls) => calls.length >= length + PER_SECOND);
      }
      const counts = await Promise.all(loads.map((load) => load.finish()));
      const arrived = [untilAllAt(receiver, "/qos1", counts[0]!), untilAllAt(receiver, "/qos2", counts[1]!)];
      await Promise.all(arrived).catch((error) => {
        for (const text of [mosquitto.log, left[0]!.output]) t.diagnostic(text.slice(-4_000));
        throw error;
      });

      const first = tally(callsAt(receiver, "/qos1"), counts[0]!);
      const second = tally(callsAt(receiver, "/qos2"), counts[1]!);
      t.diagnostic(`taken over after ${took.map(Math.round).join(" and ")} ms`);
      for (const [what, { missing, sameId, otherId }, count] of [
        [`QoS 1 (${sentAgain(instances)} sent again)`, first, counts[0]],
        ["QoS 2", second, counts[1]],
      ] as const)
        t.diagnostic(`${what}: of ${count} lost ${missing.length}, calls again ${sameId}, received again ${otherId}`);
      assert.deepEqual([first.missing, second.missing], [[], []]);
      assert.ok(Math.max(...took) <= scaled(TAKE_OVER_MS), `after ${took} ms`);
      for (const { sameId } of [first, second])
        assert.ok(sameId <= KILLS * CONCURRENCY, `${sameId} calls were made again`);
      assert.ok(first.otherId <= sentAgain(instances), `${first.otherId} messages came again`);
      assert.equal(second.otherId, 0, "QoS 2 is exactly once into the queue");
      await assertBooksClose(left[0]!, { receiver });
    });
  }
});
