/** `ordering`: deliveries of a message group run one after the other, through retries. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { accepted, assertInOrder, failSome, publish, RETRY } from "../support/ordering.ts";
import { startReceiver } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis } from "../support/setups.ts";

describe("ordering", () => {
  for (const kind of [embedded, mosquittoAndRedis("5")]) {
    describe(kind.name, kind.options, () => {
      for (const { ordering, topics, each } of [
        { ordering: "topic", topics: 10, each: 15 },
        { ordering: "strict", topics: 3, each: 12 },
      ]) {
        it(`${ordering}: ${topics} topics × ${each}, a tenth of the calls failing`, async (t) => {
          const setup = await kind.start();
          const receiver = await startReceiver();
          t.after(async () => {
            await setup.close();
            await receiver.close();
          });
          failSome(receiver, 0.1);
          await setup.bridge.register({ url: receiver.url, topics: ["o/#"], ordering, retry: RETRY });
          await publish(setup.brokerUrl, topics, each);
          const { events, attempts } = await accepted(receiver, topics, each, 100_000);
          assert.equal(events.length, topics * each, "each accepted once");
          assertInOrder(events, topics, each);
          assertInOrder(attempts, topics, each);
          assert.ok(attempts.length > events.length, "some failed");
          const sequences = events.map(({ sequence }) => sequence);
          assert.ok(sequences.every((sequence) => /^\d{16}$/.test(sequence)));
          if (ordering === "strict") assert.deepEqual(sequences, [...sequences].sort());
        });
      }
    });
  }
});
