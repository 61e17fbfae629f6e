/** Which rows of a long table are rendered. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { rowsNear } from "../../dashboard/src/components/row-range.ts";
import fc from "../support/property.ts";

describe("the rows near the window", () => {
  const view = { count: 1_000, height: 40, size: 800 };

  it("begin with the first, and change only every few rows", () => {
    assert.deepEqual(rowsNear({ ...view, top: 300 }), { from: 0, to: 30 });
    assert.deepEqual(rowsNear({ ...view, top: -4_000 }), { from: 84, to: 132 });
    assert.deepEqual(rowsNear({ ...view, top: -4_030 }), { from: 84, to: 138 });
  });

  it("are none of a table that begins below the window, or ends above it", () => {
    for (const top of [5_000, -100_000]) {
      const { from, to } = rowsNear({ ...view, top });
      assert.equal(from, to);
    }
  });

  it("include every row in the window, and not many more", () => {
    const place = fc.record({
      count: fc.integer({ min: 0, max: 5_000 }),
      height: fc.double({ min: 10, max: 100, noNaN: true }),
      top: fc.double({ min: -200_000, max: 1_000, noNaN: true }),
      size: fc.integer({ min: 100, max: 2_000 }),
    });
    fc.assert(
      fc.property(place, ({ count, height, top, size }) => {
        const { from, to } = rowsNear({ count, height, top, size });
        assert.ok(0 <= from && from <= to && to <= count, `${from} to ${to} of ${count}`);
        assert.ok(to - from <= size / height + 40);
        for (let row = 0; row < count; row++) {
          const at = top + row * height;
          if (at + height > 0 && at < size) assert.ok(from <= row && row < to, `row ${row} is in the window`);
        }
      }),
    );
  });
});
