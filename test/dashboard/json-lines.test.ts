import assert from "node:assert/strict";
import { test } from "node:test";
import { type JsonLine, linesOf, matchesIn, tokenize, visibleLines } from "../../dashboard/src/data/json-lines.ts";
import fc, { codePoint } from "../support/property.ts";

const join = (lines: readonly JsonLine[]) => lines.flatMap(({ tokens }) => tokens.map(({ text }) => text)).join("");

/** JSON with spaces in places where it allows them, and with text that is no JSON. */
const texts = fc.oneof(
  fc.tuple(fc.jsonValue(), fc.nat(4)).map(([value, indent]) => JSON.stringify(value, null, indent)),
  fc
    .array(
      fc.constantFrom(
        '"',
        "\\",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
        " ",
        "\n",
        "-1.50e+9",
        "true",
        "nul",
        "\0",
        "é",
        "\ud800",
      ),
      { maxLength: 40 },
    )
    .map((parts) => parts.join("")),
  fc.string({ unit: codePoint }),
);

test("the tokens and the lines of any text are the text", () => {
  fc.assert(
    fc.property(texts, (text) => {
      assert.equal(
        tokenize(text)
          .map((token) => token.text)
          .join(""),
        text,
      );
      assert.equal(join(linesOf(text)), text);
    }),
  );
});

test("numbers, keys and escapes keep their characters", () => {
  const text = '{"a\\"b": 21.50, "n":12345678901234567890, "t":[true,null,1E+2]}';
  const tokens = tokenize(text).filter(({ kind }) => kind !== "space" && kind !== "punctuation");
  assert.deepEqual(
    tokens.map(({ kind, text }) => `${kind} ${text}`),
    [
      'key "a\\"b"',
      "number 21.50",
      'key "n"',
      "number 12345678901234567890",
      'key "t"',
      "word true",
      "word null",
      "number 1E+2",
    ],
  );
});

test("each member has a line, and empty objects and arrays have one line", () => {
  const lines = linesOf('{"a":1,"b":[1,2],"c":{ },"d":[]}');
  const shown = lines.map(({ depth, tokens }) => `${" ".repeat(depth)}${tokens.map(({ text }) => text).join("")}`);
  assert.deepEqual(shown, ["{", ' "a":1,', ' "b":[', "  1,", "  2", " ],", ' "c":{ },', ' "d":[]', "}"]);
  assert.deepEqual([lines[0]!.closedAt, lines[0]!.size, lines[2]!.closedAt, lines[2]!.size], [8, 4, 5, 2]);
});

test("every line that opens is closed at its own depth, and folding hides exactly what is between", () => {
  fc.assert(
    fc.property(fc.jsonValue(), (value) => {
      const lines = linesOf(JSON.stringify(value));
      lines.forEach(({ closedAt, depth }, i) => {
        if (closedAt === undefined) return;
        assert.equal(lines[closedAt]!.depth, depth);
        const visible = visibleLines(lines, new Set([i]));
        assert.deepEqual(
          visible,
          [...lines.keys()].filter((at) => at <= i || at >= closedAt),
        );
      });
      assert.equal(lines.filter(({ closedAt }) => closedAt !== undefined).length, opening(value));
    }),
  );
});

/** Objects and arrays with at least one member. */
function opening(value: unknown): number {
  if (typeof value !== "object" || value === null) return 0;
  const members = Object.values(value);
  return (members.length > 0 ? 1 : 0) + members.reduce<number>((sum, member) => sum + opening(member), 0);
}

test("a search finds lines in any case, and keys with their values", () => {
  const lines = linesOf('{"Temperature":21.50,"unit":"C"}');
  assert.deepEqual(matchesIn(lines, 'temperature": 21'), [1]);
  assert.deepEqual(matchesIn(lines, "c"), [2]);
  assert.deepEqual(matchesIn(lines, ""), []);
});

test("deep nesting, unbalanced brackets and long strings need no stack", () => {
  for (const text of ["[".repeat(100_000), "]".repeat(1_000), `{"a":"${"x\\n".repeat(100_000)}`]) {
    assert.equal(join(linesOf(text)), text);
  }
});
