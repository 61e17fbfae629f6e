/**
 * kill -9 at random moments of a flood: every acknowledged message reaches the receiver, and one of QoS 2 is in the queue
 * once. `KILLS` sets the number of kills.
 */
import assert from "node:assert/strict";
import { rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertBooksClose } from "../support/books.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { publishLoad, type Tally, tally, untilDelivered } from "../support/load.ts";
import { type Receiver, startReceiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis } from "../support/setups.ts";

/** Duration of the load for each kill. */
const SLICE_SECONDS = 1;
const CONCURRENCY = 20;
/** Upper bound of messages in flight at the embedded broker at one kill; Mosquitto logs its own number. */
const UNACKNOWLEDGED = 200;

/** The calls at one path. */
const at = (receiver: Receiver, path: string) => receiver.calls.filter((call) => call.path === path);
const figures = ({ missing, sameId, otherId }: Tally) =>
  `${missing.length} missing, ${sameId} called again, ${otherId} received again`;

// At the same time: all mostly wait for the locks of the killed bridge to expire.
describe("a bridge that ends in a flood", { concurrency: true }, () => {
  for (const { kind, perSecond, perSecondQos2, defaultKills } of [
    { kind: mosquittoAndRedis("5"), perSecond: 200, perSecondQos2: 0, defaultKills: 2 },
    { kind: embedded, perSecond: 100, perSecondQos2: 50, defaultKills: 3 },
  ]) {
    const kills = Number(process.env.KILLS ?? defaultKills);
    const seconds = SLICE_SECONDS * (kills + 1);
    const [count, countQos2] = [perSecond * seconds, perSecondQos2 * seconds];
    it(
      `delivers ${count} messages of QoS 1 and ${countQos2} of QoS 2 through ${kills} kills: ${kind.name}`,
      kind.options,
      async (t) => {
        const setup = await kind.start();
        const receiver = await startReceiver();
        t.after(async () => {
          await setup.close();
          await receiver.close();
        });
        const { brokerUrl: url, bridge } = setup;
        const webhook = { concurrency: CONCURRENCY, retry: { scheduleSeconds: Array(50).fill(1) } };
        await bridge.register({ ...webhook, url: `${receiver.url}/1`, topics: ["load/#"] });
        await bridge.register({ ...webhook, url: `${receiver.url}/2`, topics: ["exact/#"], qos: 2 });
        const loads = [
          publishLoad(url, { count, perSecond }),
          publishLoad(url, { count: countQos2, perSecond: perSecondQos2, qos: 2, topic: "exact" }),
        ];
        t.after(() => Promise.all(loads.map((load) => load.close())));

        for (let i = 0; i < kills; i++) {
          await delay((0.5 + Math.random()) * SLICE_SECONDS * 1_000);
          await bridge.kill();
          await bridge.start();
        }
        await Promise.all(loads.map(({ done }) => done));
        await untilDelivered(receiver, count, 120_000, "/1");
        await untilDelivered(receiver, countQos2, 120_000, "/2");

        const [one, two] = [tally(at(receiver, "/1"), count), tally(at(receiver, "/2"), countQos2)];
        t.diagnostic(`${count} of QoS 1: ${figures(one)}; ${countQos2} of QoS 2: ${figures(two)}`);
        assert.deepEqual([one.missing, two.missing], [[], []]);
        const sameId = one.sameId + two.sameId;
        assert.ok(sameId <= 2 * kills * CONCURRENCY, `${sameId} calls were made again, more than were under way`);
        const sentAgain = setup.mosquitto?.log.match(/Sending PUBLISH to causeway-uplink-0 \(d1/g)?.length;
        const unacknowledged = setup.mosquitto ? (sentAgain ?? 0) : kills * UNACKNOWLEDGED;
        assert.ok(
          one.otherId <= unacknowledged,
          `${one.otherId} came again, and ${unacknowledged} were unacknowledged`,
        );
        assert.equal(two.otherId, 0, "messages of QoS 2 twice in the queue");
        await assertBooksClose(bridge, { receiver });
      },
    );
  }

  it("an exception in the database's thread ends the process with 1 and a log line, and loses no message", async (t) => {
    const fault = join(temporaryDirectory("fault"), "now");
    const preload = new URL("../support/database-fault.mjs", import.meta.url);
    const setup = await embedded.start({ NODE_OPTIONS: `--import=${preload}`, DATABASE_FAULT: fault });
    const receiver = await startReceiver();
    t.after(async () => {
      await setup.close();
      await receiver.close();
    });
    const { bridge } = setup;
    await bridge.register({ url: receiver.url, topics: ["load/#"] });
    const count = 300;
    const load = publishLoad(setup.brokerUrl, { count, perSecond: 200 });
    t.after(() => load.close());
    await receiver.untilCalled(50);
    writeFileSync(fault, "");
    assert.deepEqual(await bridge.ended, { code: 1, signal: null });
    assert.match(bridge.output, /"message":"The database thread failed: injected fault".*"msg":"crashed"/);

    rmSync(fault);
    await bridge.start();
    await load.done;
    await untilDelivered(receiver, count, 30_000);
    await assertBooksClose(bridge, { receiver });
  });
});
