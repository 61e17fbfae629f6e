/** A full disk under the embedded store and broker: the process keeps answering and loses no acknowledged message. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertBooksClose } from "../support/books.ts";
import { type Answer, startTestBridge } from "../support/bridge.ts";
import { temporaryDirectory } from "../support/directories.ts";
import { makeSmallDisk, smallDiskOrSkip } from "../support/disk.ts";
import { publishLoad, tally, untilDelivered } from "../support/load.ts";
import { watchMemory } from "../support/pressure.ts";
import { startReceiver } from "../support/receiver.ts";

const PER_SECOND = 100;
const FAULT_MS = 2_000;
const MAX_GROWTH_MB = 100;
const MAX_SCHEDULED = 1_000;
/** The storage engine's own files take 40 MB, and it needs room for its log to start again. */
const DISK_MB = 200;

describe("a full disk under the embedded store and broker", smallDiskOrSkip(), () => {
  it("does not stop the process or lose messages, also after a crash", async (t) => {
    const disk = makeSmallDisk(DISK_MB);
    t.after(() => disk.unmount());
    const bridge = await startTestBridge({ DATA_DIR: temporaryDirectory("test", disk.directory) });
    const receiver = await startReceiver();
    t.after(async () => {
      if (bridge.running) await bridge.stop();
      await receiver.close();
    });
    await bridge.register({ url: receiver.url, topics: ["load/#"], retry: { scheduleSeconds: Array(20).fill(1) } });
    const memory = watchMemory(bridge.pid);
    t.after(() => memory.stop());
    const options = { count: 100_000, perSecond: PER_SECOND, window: 20, bytes: 500 };
    const load = publishLoad(`mqtt://127.0.0.1:${bridge.brokerPort}`, options);
    t.after(() => load.close());
    await receiver.untilCalled(PER_SECOND);

    const sendAt = new Date(Date.now() + 3_600_000).toISOString();
    const message = { topic: "to/x", payload: "x".repeat(100_000), sendAt };
    const schedule = () => bridge.api("POST", "/v1/messages", message, { prefer: "respond-async" });
    const scheduled: string[] = [(await schedule()).body.id];

    disk.fill();
    await bridge.readiness(503);
    let refused: Answer | undefined;
    while (!refused && scheduled.length < MAX_SCHEDULED) {
      const answer = await schedule();
      if (answer.status === 202) scheduled.push(answer.body.id);
      else refused = answer;
    }
    assert.deepEqual([refused?.status, refused?.body.code], [503, "store_unavailable"]);
    for (const end = Date.now() + FAULT_MS; Date.now() < end; await delay(200)) {
      assert.equal((await bridge.api("GET", "/healthz")).status, 200);
    }
    const [acknowledged, called] = [load.acknowledged, receiver.calls.length];

    disk.free();
    const freed = Date.now();
    await bridge.readiness(200);
    const readyMs = Date.now() - freed;
    await receiver.untilCalled(called + PER_SECOND);
    assert.ok(load.acknowledged > acknowledged, "devices can publish again");
    const { grown } = memory;
    await bridge.kill();
    await bridge.start();
    const count = await load.finish();
    await untilDelivered(receiver, count, 60_000);
    for (const id of scheduled) {
      assert.equal((await bridge.api("GET", `/v1/messages/${id}`)).body.outcome, "scheduled");
    }
    const { sameId, otherId } = tally(receiver.calls, count);
    t.diagnostic(
      `${count} messages and ${scheduled.length} scheduled, lost 0, twice ${sameId} with the same id and ${otherId} with another; ready after ${readyMs} ms; ` +
        `grown by ${grown | 0} MB`,
    );
    assert.ok(grown <= MAX_GROWTH_MB, `the process grew by ${grown} MB`);
    await assertBooksClose(bridge, { receiver });
    await bridge.readiness(200);
  });
});
