/** Tables, escaping and progress, without a terminal. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { printable } from "../../src/cli/output/printable.ts";
import { progressLine } from "../../src/cli/output/progress.ts";
import { type Column, drawTable } from "../../src/cli/output/table.ts";
import fc from "../support/property.ts";

interface Row {
  id: string;
  url: string;
  failed: number;
  name?: string;
}

const COLUMNS: Column<Row>[] = [
  { title: "ID", value: ({ id }) => id },
  { title: "URL", value: ({ url }) => url, mayShrink: true },
  { title: "FAILED", value: ({ failed }) => failed, isOptional: true },
  { title: "NAME", value: ({ name }) => name, mayShrink: true, isOptional: true },
];
const ROWS: Row[] = [
  { id: "wh_1", url: "https://example.com/a/long/path/to/the/receiver", failed: 0, name: "telemetry" },
  { id: "wh_22", url: "https://example.com/", failed: 12 },
];
const plain = (text: string) => text;

describe("a table", () => {
  it("shows all columns at their natural width where there is room", () => {
    assert.deepEqual(drawTable(ROWS, COLUMNS, 120, plain), [
      "ID     URL                                              FAILED  NAME",
      "wh_1   https://example.com/a/long/path/to/the/receiver  0       telemetry",
      "wh_22  https://example.com/                             12",
    ]);
  });

  it("cuts values that may be cut, the widest first", () => {
    assert.deepEqual(drawTable(ROWS, COLUMNS, 50, plain), [
      "ID     URL                       FAILED  NAME",
      "wh_1   https://example.com/a/l…  0       telemetry",
      "wh_22  https://example.com/      12",
    ]);
  });

  it("leaves out optional columns from the right where there is no room, and cuts no id", () => {
    assert.deepEqual(drawTable(ROWS, COLUMNS, 30, plain), [
      "ID     URL",
      "wh_1   https://example.com/a/…",
      "wh_22  https://example.com/",
    ]);
  });

  it("is never wider than the terminal while its fixed columns fit", () => {
    const row = fc.record({ id: fc.string({ maxLength: 8 }), url: fc.string(), failed: fc.nat(), name: fc.string() });
    fc.assert(
      fc.property(fc.array(row, { minLength: 1 }), fc.integer({ min: 80, max: 140 }), (rows, width) => {
        for (const line of drawTable(rows, COLUMNS, width, plain)) assert.ok([...line].length <= width, line);
      }),
    );
  });

  it("pads before it paints, so that colours take no width", () => {
    const columns: Column<Row>[] = [
      { title: "ID", value: ({ id }) => id, paint: (text) => `<${text}>` },
      { title: "FAILED", value: ({ failed }) => failed },
    ];
    assert.deepEqual(drawTable(ROWS, columns, 80, plain), ["ID     FAILED", "<wh_1>   0", "<wh_22>  12"]);
  });
});

describe("printable text", () => {
  const cases: [text: string, expected: string, why: string][] = [
    ["21.5 °C 温度 👍", "21.5 °C 温度 👍", "ordinary text stays"],
    ["a\nb\r\tc", "a\\nb\\r\\tc", "one value is one line and one field"],
    ["\x1b]0;owned\x07", "\\e]0;owned\\x07", "escape sequences of the terminal"],
    ["\x9b31m", "\\x9b31m", "8-bit control sequences"],
    ["safe\u202egpj.exe", "safe\\u202egpj.exe", "reversed direction"],
    ["a\u200bb\ufeff", "a\\u200bb\\ufeff", "invisible characters"],
  ];
  for (const [text, expected, why] of cases) it(why, () => assert.equal(printable(text), expected));
});

describe("a progress line", () => {
  it("has a bar, a percentage and the text", () => {
    const line = progressLine({ share: 0.5, text: "600 of 1200" }, 80);
    assert.equal(line, `${"█".repeat(15)}${"░".repeat(15)}  50 % 600 of 1200`);
  });

  it("has no bar without a total, and none without room", () => {
    assert.equal(progressLine({ text: "600 messages" }, 80), "600 messages");
    assert.equal(progressLine({ share: 1, text: "600 of 600" }, 20), "100 % 600 of 600");
  });

  it("is narrower than the terminal, so that it never wraps", () => {
    const share = fc.option(fc.double({ min: 0, max: 1, noNaN: true }), { nil: undefined });
    fc.assert(
      fc.property(share, fc.string(), fc.integer({ min: 10, max: 200 }), (part, text, width) => {
        assert.ok(progressLine({ share: part, text }, width).length < width);
      }),
    );
  });
});
