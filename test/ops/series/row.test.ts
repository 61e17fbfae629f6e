/** Rows of statistics: encoding, merging and percentiles. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  addEncoded,
  BUCKETS,
  CELL,
  COUNTS,
  cellOf,
  encodeRow,
  newRow,
  percentile,
  type StepRow,
} from "../../../src/ops/series/row.ts";
import fc from "../../support/property.ts";

/** A row with these cells. */
function rowWith(cells: Record<number, number>): StepRow {
  const row = newRow();
  for (const [cell, value] of Object.entries(cells)) row[Number(cell)] = value;
  return row;
}

function ofDurations(durations: readonly number[]): StepRow {
  const row = newRow();
  for (const ms of durations) row[cellOf(ms)]! += 1;
  return row;
}

describe("the bucket of a duration", () => {
  const table: [reason: string, ms: number, bucket: number][] = [
    ["zero", 0, 0],
    ["negative, after a change of the clock", -5, 0],
    ["not a number", Number.NaN, 0],
    ["one millisecond", 1, 0],
    ["just above", 1.001, 1],
    ["at an upper bound", 2, 2],
    ["above that bound", 2.001, 3],
    ["15 seconds", 15_000, 28],
    ["at the last bound", 2 ** 17, 34],
    ["longer than all bounds", 1e9, 34],
    ["infinite", Number.POSITIVE_INFINITY, 34],
  ];
  for (const [reason, ms, bucket] of table) it(reason, () => assert.equal(cellOf(ms), COUNTS + bucket));
});

describe("percentiles", () => {
  const table: [reason: string, durations: number[], share: number, expected: number | null][] = [
    ["of nothing do not exist", [], 0.5, null],
    ["of one duration are the upper bound of its bucket", [4], 0.5, 3.41],
    ["of one duration at 100 % too", [4], 1, 4],
    ["are interpolated within a bucket", [4, 4, 4, 4], 0.25, 3.12],
    ["pass empty buckets", [1, 1000], 0.99, 1018],
    ["of a long tail are in the tail", [...Array<number>(98).fill(1), 16, 16], 0.99, 13.66],
    ["of long tails are not seen in the median", [...Array<number>(98).fill(1), 16, 16], 0.5, 0.51],
    ["end at the last bound", [1e9], 1, 131_072],
  ];
  for (const [reason, durations, share, expected] of table) {
    it(reason, () => assert.equal(percentile(ofDurations(durations), share), expected));
  }

  it("are within a bucket of the exact value", () => {
    const durations = fc.array(fc.double({ min: 1, max: 131_072, noNaN: true }), { minLength: 1, maxLength: 200 });
    fc.assert(
      fc.property(durations, fc.constantFrom(0.5, 0.99), (all, share) => {
        const exact = all.toSorted((a, b) => a - b)[Math.ceil(share * all.length) - 1]!;
        const estimate = percentile(ofDurations(all), share)!;
        assert.ok(
          estimate <= exact * Math.SQRT2 + 0.01 && estimate >= exact / Math.SQRT2 - 0.01,
          `${estimate} ${exact}`,
        );
      }),
    );
  });
});

describe("the encoding of rows", () => {
  const table: [reason: string, step: number, row: StepRow, text: string][] = [
    ["of nothing is empty", 5, newRow(), ""],
    ["leaves out zeros at the end", 5, rowWith({ [CELL.enqueued]: 1 }), "5,1;"],
    ["keeps the place of zeros between", 59, rowWith({ [CELL.failed]: 35 }), "1n,,,z;"],
    ["has numbers in base 36", 0, rowWith({ [CELL.published]: 1296 }), "0,,,,,,100;"],
    ["names the first bucket", 1, rowWith({ [COUNTS + 11]: 2, [COUNTS + 13]: 4 }), "1/b,2,,4;"],
    ["has counts and buckets", 1, rowWith({ 1: 7, [COUNTS]: 7 }), "1,,7/0,7;"],
    ["has the last bucket", 1, rowWith({ [COUNTS + BUCKETS - 1]: 3 }), "1/y,3;"],
  ];
  for (const [reason, step, row, text] of table) {
    it(reason, () => {
      assert.equal(encodeRow(step, row), text);
      const decoded = newRow();
      addEncoded(text, (found) => {
        assert.equal(found, step);
        return decoded;
      });
      assert.deepEqual(decoded, row);
    });
  }

  it("leaves out the steps without a row", () => {
    const row = newRow();
    addEncoded("1,1;2,5;3,7;", (step) => (step === 2 ? row : undefined));
    assert.deepEqual(row, rowWith({ 0: 5 }));
  });

  it("of any text is read without an error", () => {
    fc.assert(fc.property(fc.string(), (text) => addEncoded(text, () => newRow())));
    fc.assert(fc.property(fc.stringMatching(/^[0-9a-z,;/]*$/), (text) => addEncoded(text, () => newRow())));
  });

  it("merges: parts that are encoded and added up are the whole, in any order", () => {
    const cell = fc.nat({ max: COUNTS + BUCKETS - 1 });
    const event = fc.record({ part: fc.nat({ max: 4 }), step: fc.nat({ max: 59 }), cell, by: fc.nat({ max: 1e6 }) });
    fc.assert(
      fc.property(fc.array(event), (events) => {
        const whole = Array.from({ length: 60 }, newRow);
        const parts = Array.from({ length: 5 }, () => Array.from({ length: 60 }, newRow));
        for (const { part, step, cell, by } of events) {
          whole[step]![cell]! += by;
          parts[part]![step]![cell]! += by;
        }
        const merged = Array.from({ length: 60 }, newRow);
        for (const part of parts.reverse())
          addEncoded(part.map((row, i) => encodeRow(i, row)).join(""), (i) => merged[i]);
        assert.deepEqual(merged, whole);
      }),
    );
  });
});
