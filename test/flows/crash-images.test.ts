/**
 * The data directory of the embedded broker and store, copied at random moments of a flood, opens with every
 * acknowledged message. `COPIES` sets the number of copies.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { openSqliteStore } from "../../src/store/sqlite/open.ts";
import { assertBooksClose } from "../support/books.ts";
import { startTestBridge } from "../support/bridge.ts";
import { type Content, contentOf, crashImage } from "../support/crash-image.ts";
import { eventually } from "../support/eventually.ts";
import { embedded, scenario } from "../support/scenario.ts";

const COPIES = Number(process.env.COPIES ?? 10);
/** Copies on which a bridge is started, which takes longer than to open the store. */
const STARTS = Math.max(2, COPIES / 20);
/** Longest time from the first acknowledgement of a burst to the copy. */
const BURST_MS = 150;
/** Unacknowledged messages at each QoS. */
const WINDOW = 20;
const log = { info() {}, warn() {}, error() {} };

/** Asserts that each acknowledged message is there, and no message of QoS 2 twice. */
function assertComplete(acknowledged: readonly string[], { jobs, kept }: Content): void {
  const [there, queued] = [new Set([...jobs, ...kept]), new Set<string>()];
  const twice = jobs.filter((topic) => queued.size === queued.add(topic).size && topic.startsWith("image/2/"));
  assert.deepEqual({ missing: acknowledged.filter((topic) => !there.has(topic)), twice }, { missing: [], twice: [] });
}

describe("copies of the embedded store and broker as a crash leaves them", () => {
  const s = scenario(embedded, { device: { clientId: "device", clean: false } });

  it(`open with every acknowledged message: ${COPIES} copies, ${STARTS} of them in a bridge`, async (t) => {
    // Its deliveries stay, so that they can be counted; those of the other one come and go.
    const { id } = await s.bridge.register({ url: s.receiver.url, topics: ["image/#"], qos: 2, enabled: false });
    await s.bridge.register({ url: s.receiver.url, topics: ["image/#"], qos: 2 });
    const acknowledged: string[] = [];
    const starts: Promise<void>[] = [];
    let next = 0;
    for (let copy = 0; copy < COPIES; copy += 1) {
      const before = acknowledged.length;
      let flooding = true;
      const publish = async (qos: 1 | 2) => {
        while (flooding) {
          const topic = `image/${qos}/${next++}`;
          await s.device.publishAsync(topic, "x".repeat(200), { qos });
          acknowledged.push(topic);
        }
      };
      const flood = Array.from({ length: WINDOW }, () => [publish(1), publish(2)]).flat();
      await eventually(() => acknowledged.length > before, "acknowledged");
      await delay(Math.random() * BURST_MS);
      const { dataDir, observed } = await crashImage(s.bridge, () => acknowledged.length);
      flooding = false;
      await Promise.all(flood);
      const check = copy % (COPIES / STARTS) < 1 ? startOn : openOn;
      const checked = check(dataDir, id, acknowledged.slice(0, observed)).then(() =>
        rmSync(dataDir, { recursive: true }),
      );
      // A bridge waits for the locks of the deliveries that were under way.
      if (check === startOn) starts.push(checked);
      else await checked;
    }
    await Promise.all(starts);
    t.diagnostic(`${acknowledged.length} messages acknowledged, none missing, none of QoS 2 twice`);
  });

  async function openOn(dataDir: string, id: string, acknowledged: readonly string[]): Promise<void> {
    const store = await openSqliteStore({ dataDir, log });
    const { enqueued, succeeded, failed, waiting, discarded } = await store.ledgers.total();
    assert.equal(enqueued, succeeded + failed + waiting + discarded);
    const { waiting: paused } = await store.ledgers.of(`deliver-${id}`);
    await store.close();
    const content = contentOf(dataDir, id);
    assert.deepEqual(content.integrity, ["ok"]);
    assert.equal(content.jobs.length, paused);
    assertComplete(acknowledged, content);
  }

  async function startOn(dataDir: string, id: string, acknowledged: readonly string[]): Promise<void> {
    const bridge = await startTestBridge({ DATA_DIR: dataDir });
    try {
      const { jobs } = await eventually(
        () => contentOf(dataDir, id),
        ({ kept }) => kept.length === 0,
      );
      await assertBooksClose(bridge, { waiting: jobs.length });
      const content = contentOf(dataDir, id);
      assert.deepEqual(content.integrity, ["ok"]);
      assertComplete(acknowledged, content);
    } finally {
      await bridge.kill();
    }
  }
});
