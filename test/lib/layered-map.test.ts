/** The immutable map has the entries of a `Map` after the same changes, in the same order, and keeps its old states. */
import assert from "node:assert/strict";
import { it } from "node:test";
import { LayeredMap } from "../../src/lib/layered-map.ts";
import fc from "../support/property.ts";

it("equals a Map after each sequence of changes, across merges", () => {
  const change = fc.record({ key: fc.nat(400), isRemoval: fc.boolean() });
  fc.assert(
    fc.property(fc.array(change, { maxLength: 2_000, size: "max" }), (changes) => {
      const expected = new Map<string, number>();
      let map: LayeredMap<number> = LayeredMap.empty();
      for (const [i, { key: number, isRemoval }] of changes.entries()) {
        const key = `k${number}`;
        if (isRemoval) expected.delete(key);
        else expected.set(key, i);
        const before = map;
        const entryBefore = before.get(key);
        map = isRemoval ? map.without(key) : map.with(key, i);
        assert.equal(before.get(key), entryBefore, "the old state is unchanged");
        assert.deepEqual([map.get(key), map.has(key), map.size], [expected.get(key), !isRemoval, expected.size]);
      }
      assert.deepEqual([...map], [...expected]);
    }),
    { numRuns: 50 },
  );
});
