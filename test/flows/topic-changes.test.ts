/** Changes of a webhook's topics while devices publish: messages during a change of overlapping filters come once. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import { assertBooksClose } from "../support/books.ts";
import { embedded, type Kind, mosquittoAndRedis, startScenario } from "../support/scenario.ts";

const FILTERS = ["line/+", "line/#"];

const LOADS: { kind: Kind; messages: number; changes: number }[] = [
  { kind: embedded, messages: 150, changes: 5 },
  { kind: mosquittoAndRedis("5"), messages: 1_000, changes: 10 },
  { kind: mosquittoAndRedis("3.1.1"), messages: 1_000, changes: 10 },
];

for (const { kind, messages, changes } of LOADS) {
  describe(`topics that change under load: ${kind.name}`, kind.options, () => {
    it(`lose none of ${messages} messages and deliver none twice`, async (t) => {
      const { bridge, receiver, device } = await startScenario(t, kind);
      const { id } = await bridge.register({ url: receiver.url, topics: [FILTERS[0]], concurrency: 20 });

      let sent = 0;
      let changed = 0;
      const publish = async () => {
        const batch = Math.ceil(messages / (changes * 10));
        // Publishes until the last change is made, so that every change meets messages in flight.
        while (sent < messages || changed < changes) {
          const packets = Array.from({ length: batch }, () =>
            device.publishAsync("line/1", String(sent++), { qos: 1 }),
          );
          await Promise.all(packets);
          await delay(10);
        }
      };
      const change = async () => {
        for (; changed < changes; changed++) {
          const topics = [FILTERS[(changed + 1) % 2]];
          const { status } = await bridge.api("PATCH", `/v1/webhooks/${id}`, { topics });
          assert.equal(status, 200);
        }
      };
      await Promise.all([publish(), change()]);

      await receiver.until((calls) => calls.length >= sent, 60_000).catch(() => undefined);
      await assertBooksClose(bridge);
      const got = receiver.calls.map(({ body }) => JSON.parse(body.toString()).data);
      const distinct = new Set(got).size;
      t.diagnostic(`${sent} sent, ${sent - distinct} lost, ${got.length - distinct} twice`);
      assert.deepEqual({ lost: sent - distinct, twice: got.length - distinct }, { lost: 0, twice: 0 });
    });
  });
}
