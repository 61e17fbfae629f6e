import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { IncomingEntry } from "../../src/store/store.ts";
import type { Subject } from "./store.contract.ts";

const entry = (name: string): IncomingEntry => ({
  id: `msg_${name}`,
  receivedAt: 1_785_000_000_123,
  digest: `d ${name}`,
});

export function incomingContract({ store, other }: Subject): void {
  describe("incoming", () => {
    test("returns all written entries to the next receiver", async () => {
      const written = new Map([
        [1, entry("a")],
        [65_535, entry("b")],
      ]);
      assert.deepEqual(await store().incoming("i1").all(), new Map());
      await store().incoming("i1").write(written, []);
      assert.deepEqual(await other().incoming("i1").all(), written);
    });

    test("replaces and removes entries in one call, and repeating the call does no harm", async () => {
      const incoming = store().incoming("i2");
      await incoming.write(new Map([1, 2, 3].map((id) => [id, entry(String(id))])), []);
      for (let time = 0; time < 2; time++) {
        await incoming.write(new Map([[2, entry("new")]]), [1, 9]);
        const expected = new Map([
          [2, entry("new")],
          [3, entry("3")],
        ]);
        assert.deepEqual(new Map([...(await other().incoming("i2").all())].sort()), expected);
      }
      await incoming.write(new Map(), [2, 3]);
      assert.deepEqual(await incoming.all(), new Map());
      await incoming.write(new Map(), []);
    });

    test("keeps sessions separate", async () => {
      await store()
        .incoming("i3")
        .write(new Map([[5, entry("x")]]), []);
      await store()
        .incoming("i4")
        .write(new Map([[5, entry("y")]]), []);
      await store().incoming("i3").write(new Map(), [5]);
      assert.deepEqual(await store().incoming("i4").all(), new Map([[5, entry("y")]]));
    });

    test("stores all packet identifiers at once", async () => {
      const incoming = store().incoming("i5");
      const ids = Array.from({ length: 65_535 }, (_, i) => i + 1);
      for (let at = 0; at < ids.length; at += 5_000) {
        await incoming.write(new Map(ids.slice(at, at + 5_000).map((id) => [id, entry(String(id))])), []);
      }
      const all = await other().incoming("i5").all();
      assert.equal(all.size, 65_535);
      assert.deepEqual(all.get(40_000), entry("40000"));
    });
  });
}
