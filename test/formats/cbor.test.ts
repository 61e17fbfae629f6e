import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePayload, encodePayload } from "../../src/formats/formats.ts";
import fc from "../support/property.ts";

const decode = (hex: string) => decodePayload("cbor", Buffer.from(hex, "hex"), { maxChars: 100_000 });

/** RFC 8949 appendix A: encoded bytes, and their JSON. */
const APPENDIX_A: [hex: string, json: string][] = [
  ...([
    ["00", "0"],
    ["17", "23"],
    ["1818", "24"],
    ["1903e8", "1000"],
    ["1a000f4240", "1000000"],
    ["1b000000e8d4a51000", "1000000000000"],
    ["1bffffffffffffffff", "18446744073709551615"],
    ["c249010000000000000000", "18446744073709551616"],
    ["3bffffffffffffffff", "-18446744073709551616"],
    ["c349010000000000000000", "-18446744073709551617"],
    ["20", "-1"],
    ["3903e7", "-1000"],
  ] as [string, string][]),
  ...([
    ["f90000", "0"],
    ["f93c00", "1"],
    ["fb3ff199999999999a", "1.1"],
    ["f93e00", "1.5"],
    ["f97bff", "65504"],
    ["fa47c35000", "100000"],
    ["fa7f7fffff", "3.4028234663852886e+38"],
    ["fb7e37e43c8800759c", "1e+300"],
    ["f90001", "5.960464477539063e-8"],
    ["f9c400", "-4"],
    ["f97c00", "null"],
    ["f97e00", "null"],
    ["f9fc00", "null"],
    ["f4", "false"],
    ["f5", "true"],
    ["f6", "null"],
    ["f7", "null"],
  ] as [string, string][]),
  ...([
    ["c074323031332d30332d32315432303a30343a30305a", '"2013-03-21T20:04:00Z"'],
    ["c11a514b67b0", "1363896240"],
    ["c1fb41d452d9ec200000", "1363896240.5"],
    ["d74401020304", '"AQIDBA=="'],
    ["d818456449455446", '"ZElFVEY="'],
    ["d82076687474703a2f2f7777772e6578616d706c652e636f6d", '"http://www.example.com"'],
    ["40", '""'],
    ["4401020304", '"AQIDBA=="'],
    ["6449455446", '"IETF"'],
    ["62225c", '"\\"\\\\"'],
    ["62c3bc", '"ü"'],
    ["64f0908591", '"𐅑"'],
  ] as [string, string][]),
  ...([
    ["8301820203820405", "[1,[2,3],[4,5]]"],
    ["a201020304", '{"1":2,"3":4}'],
    ["a26161016162820203", '{"a":1,"b":[2,3]}'],
    ["5f42010243030405ff", '"AQIDBAU="'],
    ["7f657374726561646d696e67ff", '"streaming"'],
    ["9fff", "[]"],
    ["9f018202039f0405ffff", "[1,[2,3],[4,5]]"],
    ["bf61610161629f0203ffff", '{"a":1,"b":[2,3]}'],
    ["bf6346756ef563416d7421ff", '{"Fun":true,"Amt":-2}'],
  ] as [string, string][]),
];

for (const [hex, json] of APPENDIX_A) {
  test(`${hex} is ${json}`, () => assert.deepEqual(decode(hex), { json }));
}

const REFUSED: [what: string, hex: string, reason: RegExp][] = [
  ["no bytes", "", /did not find any content/],
  ["bytes after the item", "0000", /too many terminals/],
  ["an array that ends early", "9affffffff01", /not enough entries/],
  ["an indefinite array without its end", "9f01", /not enough entries/],
  ["a string without its end", "7f6161", /without its end/],
  ["a chunk of another type", "5f6161ff", /another type/],
  ["a break", "ff", /unexpected break/],
  ["a simple value without a JSON counterpart", "f0", /./],
  ["equal keys", "a2616101616102", /repeat map key/],
  ["keys with the same text", "a20101613102", /same text/],
  ["a bignum that is a text", "c26130", /bignum without bytes/],
  ["deep nesting", `${"81".repeat(150)}00`, /nested too deeply/],
  ["nesting beyond the stack", "81".repeat(200_000), /nested too deeply/],
  ["a large bignum", `c2591000${"ff".repeat(4096)}`, /more than 1024 bytes/],
];

for (const [what, hex, reason] of REFUSED) {
  test(`${what}: not decodable`, () => {
    const result = decode(hex);
    assert.ok("error" in result);
    assert.match(result.error, /^not CBOR: /);
    assert.match(result.error, reason);
  });
}

test("the JSON text is limited, also where few bytes become many characters", () => {
  const bytes = Buffer.concat([Buffer.from("9a00004000", "hex"), Buffer.alloc(0x4000, 0xf6)]);
  const result = decodePayload("cbor", bytes, { maxChars: 50_000 });
  assert.deepEqual(result, { error: "not CBOR: more than 50000 characters as JSON" });
});

test("JSON survives the way to the device and back", () => {
  fc.assert(
    fc.property(fc.json(), (text) => {
      const json = JSON.stringify(JSON.parse(text)).replaceAll("-0", "0");
      const bytes = encodePayload("cbor", json);
      assert.ok(bytes instanceof Uint8Array);
      const result = decodePayload("cbor", bytes, { maxChars: 1_000_000 });
      assert.ok("json" in result);
      assert.deepEqual(JSON.parse(result.json), JSON.parse(json));
    }),
  );
});

test("integers of 64 bits keep their digits, larger ones are refused", () => {
  for (const json of ["18446744073709551615", "-9223372036854775808", '{"t":1700000000000,"s":"12345678901"}']) {
    const bytes = encodePayload("cbor", json);
    assert.ok(bytes instanceof Uint8Array);
    assert.deepEqual(decodePayload("cbor", bytes, { maxChars: 1_000 }), { json });
  }
  assert.deepEqual(encodePayload("cbor", "[18446744073709551616]"), {
    path: "",
    message: "cannot be encoded: 18446744073709551616 does not fit in 64 bits",
  });
});

test("random bytes never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
      const result = decodePayload("cbor", bytes, { maxChars: 10_000 });
      if ("json" in result) JSON.parse(result.json);
    }),
  );
});
