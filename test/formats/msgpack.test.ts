import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePayload, encodePayload } from "../../src/formats/formats.ts";
import fc from "../support/property.ts";

const decode = (hex: string) => decodePayload("msgpack", Buffer.from(hex, "hex"), { maxChars: 100_000 });

/** Each format of the specification, with its JSON. */
const FORMATS: [hex: string, json: string][] = [
  ["82a7636f6d70616374c3a6736368656d6100", '{"compact":true,"schema":0}'],
  ["c0", "null"],
  ["c2", "false"],
  ["7f", "127"],
  ["e0", "-32"],
  ["ccff", "255"],
  ["cdffff", "65535"],
  ["ceffffffff", "4294967295"],
  ["cfffffffffffffffff", "18446744073709551615"],
  ["d080", "-128"],
  ["d18000", "-32768"],
  ["d280000000", "-2147483648"],
  ["d38000000000000000", "-9223372036854775808"],
  ["ca3fc00000", "1.5"],
  ["cb3ff199999999999a", "1.1"],
  ["cb7ff8000000000000", "null"],
  ["a161", '"a"'],
  ["d90161", '"a"'],
  ["da000161", '"a"'],
  ["db0000000161", '"a"'],
  ["c403010203", '"AQID"'],
  ["c50003010203", '"AQID"'],
  ["c600000003010203", '"AQID"'],
  ["9201c0", "[1,null]"],
  ["dc000201c0", "[1,null]"],
  ["dd0000000201c0", "[1,null]"],
  ["de0001a16101", '{"a":1}'],
  ["df00000001a16101", '{"a":1}'],
  ["8101a161", '{"1":"a"}'],
  ["d40501", '{"type":5,"data":"AQ=="}'],
  ["c70305010203", '{"type":5,"data":"AQID"}'],
  ["d6ff5a4af6a5", '"2018-01-02T03:04:05Z"'],
  ["d7ffa1dcd7c85a4af6a5", '"2018-01-02T03:04:05.678901234Z"'],
  ["c70cff3b9ac9ffffffffffffffffff", '"1969-12-31T23:59:59.999999999Z"'],
];

for (const [hex, json] of FORMATS) test(`${hex} is ${json}`, () => assert.deepEqual(decode(hex), { json }));

const REFUSED: [what: string, hex: string, reason: RegExp][] = [
  ["no bytes", "", /more elements than bytes/],
  ["bytes after the object", "c0c0", /Extra/],
  ["an unused head", "c1", /Unrecognized/],
  ["an array longer than the payload", "ddffffffff", /more elements than bytes/],
  ["nested arrays that announce gigabytes", "dd00030000".repeat(40_000), /more elements than bytes/],
  ["deep nesting", `${"91".repeat(150)}00`, /nested too deeply/],
  ["a key that JavaScript reserves", "81a95f5f70726f746f5f5f01", /__proto__/],
  ["a timestamp of another length", "d4ff00", /timestamp/],
  ["a timestamp beyond the calendar", "c70cff000000007fffffffffffffff", /./],
];

for (const [what, hex, reason] of REFUSED) {
  test(`${what}: not decodable`, () => {
    const result = decode(hex);
    assert.ok("error" in result, JSON.stringify(result));
    assert.match(result.error, /^not MessagePack: /);
    assert.match(result.error, reason);
  });
}

test("JSON survives the way to the device and back", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      fc.pre(!text.includes("__proto__"));
      const json = JSON.stringify(JSON.parse(text)).replaceAll("-0", "0");
      const bytes = encodePayload("msgpack", json);
      assert.ok(bytes instanceof Uint8Array);
      const result = decodePayload("msgpack", bytes, { maxChars: 1_000_000 });
      assert.ok("json" in result);
      assert.deepEqual(JSON.parse(result.json), JSON.parse(json));
    }),
  );
});

test("integers keep their digits and stay integers", () => {
  const json = '{"t":1700000000000,"min":-9223372036854775808,"max":18446744073709551615}';
  const bytes = encodePayload("msgpack", json);
  assert.ok(bytes instanceof Uint8Array);
  assert.ok(!Buffer.from(bytes).includes(0xcb), "a float");
  assert.deepEqual(decodePayload("msgpack", bytes, { maxChars: 1_000 }), { json });
});

test("random bytes never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const result = decodePayload("msgpack", bytes, { maxChars: 10_000 });
      if ("json" in result) JSON.parse(result.json);
    }),
  );
});
