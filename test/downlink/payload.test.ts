/** A payload is cut out of the request's JSON byte for byte. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { decodeBase64, rawElements, rawMember } from "../../src/downlink/payload.ts";
import fc, { codePoint } from "../support/property.ts";
import { scaled } from "../support/speed.ts";

/** One of many notations of a JSON value: white space anywhere, escapes in strings, hand-written numbers. */
interface Written {
  text: string;
}

const space = fc.stringMatching(/^[ \t\r\n]{0,3}$/);

const writtenString: fc.Arbitrary<string> = fc
  .array(
    fc.oneof(
      fc.string({ unit: codePoint, maxLength: 3 }).map((text) => JSON.stringify(text).slice(1, -1)),
      fc.constantFrom(
        '\\"',
        "\\\\",
        "\\/",
        "\\u0022",
        "\\u005c",
        "\\u0000",
        "\\ud83d\\ude00",
        "\\n",
        "{",
        "}",
        "[",
        "]",
        ",",
        ":",
      ),
    ),
    { maxLength: 4 },
  )
  .map((parts) => `"${parts.join("")}"`);

const writtenNumber = fc.oneof(
  fc.stringMatching(/^-?(0|[1-9][0-9]{0,24})(\.[0-9]{1,5})?([eE][+-]?[0-9]{1,2})?$/),
  fc.constantFrom("12345678901234567890", "1.10", "-0", "1E400"),
);

const { value } = fc.letrec<{ value: Written; array: Written; object: Written }>((tie) => ({
  value: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(writtenString, writtenNumber, fc.constantFrom("true", "false", "null")).map((text) => ({ text })),
    tie("array"),
    tie("object"),
  ),
  array: fc
    .tuple(fc.array(tie("value"), { maxLength: 4 }), space, space)
    .map(([items, a, b]) => ({ text: `[${items.length ? "" : a}${items.map(({ text }) => a + text + b).join(",")}]` })),
  object: fc
    .tuple(fc.array(fc.tuple(writtenString, tie("value")), { maxLength: 4 }), space, space)
    .map(([members, a, b]) => ({
      text: `{${members.length ? "" : a}${members.map(([name, { text }]) => `${a}${name}${b}:${a}${text}${b}`).join(",")}}`,
    })),
}));

const payloadName = fc.constantFrom('"payload"', '"p\\u0061yload"', '"\\u0070ayload"');
/** Names similar to the searched one that must not match. */
const otherName = fc.oneof(writtenString, fc.constantFrom('"Payload"', '"payload "', '"payloads"', '"\\"payload"'));

describe("rawMember", () => {
  it("finds the member's text, the last one of duplicates, in any document", () => {
    const member = fc.tuple(fc.oneof(payloadName, otherName), value, space, space);
    fc.assert(
      fc.property(fc.array(member, { maxLength: 6 }), space, space, (members, before, after) => {
        const body = members.map(([name, { text }, a, b]) => `${a}${name}${b}:${a}${text}${b}`).join(",");
        const json = `${before}{${body}${members.length ? "" : before}}${after}`;
        const parsed = JSON.parse(json) as Record<string, unknown>;
        const last = members.findLast(([name]) => JSON.parse(name) === "payload");
        const raw = rawMember(json, "payload");
        assert.equal(raw, last?.[1].text);
        if (raw !== undefined) assert.deepEqual(JSON.parse(raw), parsed.payload);
        else assert.ok(!Object.hasOwn(parsed, "payload"));
      }),
      { numRuns: 2_000 },
    );
  });

  for (const [json, text] of [
    ['{"payload":12345678901234567890}', "12345678901234567890"],
    ['{"payload": 1.10 }', "1.10"],
    ['{"payload":{"a" : 1.0,"b":[ ]}\n}', '{"a" : 1.0,"b":[ ]}'],
    ['{"a":{"payload":1},"payload":2}', "2"],
    ['{"a":"\\"payload\\":1"}', undefined],
    ['{"payload":1,"payload":"}"}', '"}"'],
    ['{"payload":"\\\\"}', '"\\\\"'],
    ['{"__proto__":1,"payload":null}', "null"],
    ["{}", undefined],
  ] as const) {
    it(`finds ${text} in ${JSON.stringify(json)}`, () => assert.equal(rawMember(json, "payload"), text));
  }
});

describe("rawElements", () => {
  it("finds the text of every element of any array", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(value, space, space)), space, (items, around) => {
        const body = items.map(([{ text }, a, b]) => a + text + b).join(",");
        const json = `${around}[${items.length ? body : around}]${around}`;
        const raw = rawElements(json);
        assert.deepEqual(
          raw,
          items.map(([{ text }]) => text),
        );
        assert.deepEqual(
          raw.map((text) => JSON.parse(text) as unknown),
          JSON.parse(json),
        );
      }),
      { numRuns: 2_000 },
    );
  });

  it("finds them in the output of JSON.stringify, indented or not", () => {
    fc.assert(
      fc.property(fc.array(fc.jsonValue()), fc.constantFrom(undefined, 1, "\t"), (items, indent) => {
        const parsed = rawElements(JSON.stringify(items, null, indent)).map((text) => JSON.parse(text) as unknown);
        assert.deepEqual(parsed, JSON.parse(JSON.stringify(items)));
      }),
    );
  });

  it("takes time proportional to the length of the text", () => {
    const element = JSON.stringify({ topic: "a/b", payload: { text: "x".repeat(150), more: [1, '"', {}] } });
    const ms = (count: number) => {
      const json = `[${Array<string>(count).fill(element).join(",")}]`;
      const startedAt = performance.now();
      assert.equal(rawElements(json).length, count);
      return performance.now() - startedAt;
    };
    // Most of a second is much already. If it were quadratic, it would be minutes.
    const large = ms(100_000);
    assert.ok(large < scaled(15_000), `${large} ms`);
  });
});

describe("decodeBase64", () => {
  it("returns any bytes, in both alphabets, with and without padding", () => {
    fc.assert(
      fc.property(fc.uint8Array({ maxLength: 40 }), (array) => {
        const bytes = Buffer.from(array);
        const padded = bytes.toString("base64");
        for (const text of [padded, padded.replace(/=+$/, ""), bytes.toString("base64url")]) {
          assert.deepEqual(decodeBase64(text), bytes);
        }
      }),
    );
  });

  for (const text of ["a", "abcde", "ab c", "ab\n", "a===", "=", "===", "ab=c", "ä", "YQ==YQ==", "\u0000"]) {
    it(`does not accept ${JSON.stringify(text)}`, () => assert.equal(decodeBase64(text), undefined));
  }
});
