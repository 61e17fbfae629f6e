import assert from "node:assert/strict";
import { test } from "node:test";
import { decodePayload, encodePayload } from "../../src/formats/formats.ts";
import type { AnnouncedMetric, Birth } from "../../src/formats/sparkplug/decode.ts";
import { announcedMetrics } from "../../src/formats/sparkplug/decode.ts";
import { DATA_TYPES } from "../../src/formats/sparkplug/schema.ts";
import fc from "../support/property.ts";
import { vector } from "./sparkplug-vectors.ts";

const AT = 1486144502122;

function decoded(bytes: Uint8Array, birth?: Birth): unknown {
  const result = decodePayload("sparkplug", bytes, { maxChars: 1_000_000, birth });
  assert.ok("json" in result, JSON.stringify(result));
  return JSON.parse(result.json);
}

function encoded(value: unknown): Uint8Array {
  const bytes = encodePayload("sparkplug", typeof value === "string" ? value : JSON.stringify(value));
  assert.ok(bytes instanceof Uint8Array, JSON.stringify(bytes));
  return bytes;
}

const fault = (value: unknown) => encodePayload("sparkplug", JSON.stringify(value));
const boolean = (name: string, value: boolean) => ({ name, timestamp: AT, dataType: "Boolean", value });
const string = (name: string, value: string) => ({ name, timestamp: AT, dataType: "String", value });

/** The documents of the specification, with `UInt64` where it writes `Uint64`. */
const EXAMPLES = {
  nbirth: {
    timestamp: AT,
    metrics: [
      { name: "bdSeq", timestamp: AT, dataType: "UInt64", value: 0 },
      boolean("Node Control/Reboot", false),
      boolean("Node Control/Rebirth", false),
      boolean("Node Control/Next Server", false),
      { name: "Node Control/Scan Rate", timestamp: AT, dataType: "Int64", value: 3000 },
      string("Properties/Hardware Make", "Raspberry Pi"),
      string("Properties/Hardware Model", "Pi 3 Model B"),
      string("Properties/OS", "Raspbian"),
      string("Properties/OS Version", "Jessie with PIXEL/11.01.2017"),
      { name: "Supply Voltage", timestamp: AT, dataType: "Float", value: 12.1 },
    ],
    seq: 0,
  },
  ndata: {
    timestamp: AT,
    metrics: [{ name: "Supply Voltage", timestamp: AT, dataType: "Float", value: 12.3 }],
    seq: 2,
  },
  ddata: { timestamp: AT, metrics: [boolean("Inputs/A", true), boolean("Inputs/C", true)], seq: 0 },
  ncmd: { timestamp: AT, metrics: [boolean("Node Control/Rebirth", true)] },
  ndeath: { timestamp: AT, metrics: [{ name: "bdSeq", timestamp: AT, dataType: "UInt64", value: 0 }] },
};

for (const [name, document] of Object.entries(EXAMPLES)) {
  test(`the ${name.toUpperCase()} of the specification is decoded to its document, and encoded to the same bytes`, () => {
    const bytes = vector(name as keyof typeof EXAMPLES);
    assert.deepEqual(decoded(bytes), document);
    assert.deepEqual(Buffer.from(encoded(document)), bytes);
  });
}

test("data sets, templates, properties, metadata and bytes of Eclipse Tahu are decoded", () => {
  const { metrics, uuid } = decoded(vector("tahu")) as { metrics: Record<string, unknown>[]; uuid: string };
  assert.equal(uuid, "u-1");
  const values = Object.fromEntries(metrics.map(({ name, value }) => [name, value]));
  assert.deepEqual(values, {
    ...{ i8: -1, i32: -2147483648, u32: 4294967295, d: 1.5, t: "é", by: "AQL/", p: 5 },
    ds: {
      numOfColumns: 2,
      columns: ["a", "b"],
      types: ["String", "Int32"],
      rows: [
        ["x", 1],
        ["y", 2],
      ],
    },
    udt: {
      version: "1",
      templateRef: "pump",
      isDefinition: false,
      parameters: [{ name: "site", type: "String", value: "B" }],
      metrics: [{ name: "rpm", timestamp: AT, dataType: "Int32", value: 1500 }],
    },
  });
  const { isHistorical, metadata, properties } = metrics.at(-1)!;
  assert.deepEqual([isHistorical, metadata], [true, { description: "d" }]);
  assert.deepEqual(properties, { engUnit: { type: "String", value: "kPa" } });
});

/** The examples of the specification for array types, section 6.4.16. */
const ARRAYS: [type: string, value: unknown[], hex: string][] = [
  ["Int8Array", [-23, 123], "e97b"],
  ["Int16Array", [-30000, 30000], "d08a3075"],
  ["Int32Array", [-1, 315338746], "fffffffffaafcb12"],
  ["UInt8Array", [23, 250], "17fa"],
  ["UInt16Array", [30, 52360], "1e0088cc"],
  ["UInt32Array", [52, 3293969225], "3400000049fb55c4"],
  ["FloatArray", [1.23, 89.341], "a4709d3f98aeb242"],
  ["DoubleArray", [12.354213, 1022.9123213], "d7a205685bb528408e171c6f4cf78f40"],
  ["BooleanArray", [false, false, true, true, false, true, false, false, true, true, false, true], "0c00000034d0"],
  ["StringArray", ["ABC", "hello"], "4142430068656c6c6f00"],
  ["DateTimeArray", [1256102875335, 1656107875000], "c7d0907524010000b8bab89781010000"],
];

for (const [type, value, hex] of ARRAYS) {
  test(`${type} is packed as in the specification`, () => {
    const bytes = encoded({ metrics: [{ name: "a", dataType: type, value }] });
    assert.ok(Buffer.from(bytes).toString("hex").includes(hex), Buffer.from(bytes).toString("hex"));
    assert.deepEqual(decoded(bytes), { metrics: [{ name: "a", dataType: type, value }] });
  });
}

test("64-bit integers keep their digits, with and without a sign", () => {
  const json =
    '{"metrics":[{"name":"a","dataType":"UInt64","value":18446744073709551615},' +
    '{"name":"b","dataType":"Int64","value":-9223372036854775808},' +
    '{"name":"c","dataType":"Int64Array","value":[-9223372036854775808,9007199254740993]}]}';
  assert.deepEqual(decodePayload("sparkplug", encoded(json), { maxChars: 1_000 }), { json });
});

test("a metric without a value, or with null, is told apart from false and zero", () => {
  const metrics = [
    { name: "absent", dataType: "Int32" },
    { name: "null", dataType: "Int32", isNull: true, value: null },
    { name: "zero", dataType: "Int32", value: 0 },
    { name: "off", dataType: "Boolean", value: false },
    { name: "empty", dataType: "String", value: "" },
  ];
  assert.deepEqual(decoded(encoded({ metrics })), { metrics });
});

function birthOf(announced: AnnouncedMetric[]): Birth {
  return {
    byName: new Map(announced.map((metric) => [metric.name, metric])),
    byAlias: new Map(announced.map((metric) => [metric.alias!, metric])),
  };
}

test("an alias gets the name and the sign of its BIRTH; an unknown alias stays an alias", () => {
  const birth = birthOf(
    announcedMetrics(encoded({ metrics: [{ name: "temperature", alias: 7, dataType: "Int16", value: 20 }] })),
  );
  // Metrics without data type, as edge nodes send them: alias 7 = -5, alias 8 = 1.
  const data = Buffer.from("1208100750fbffffff0f120410085001", "hex");
  assert.deepEqual(decoded(data, birth), {
    metrics: [
      { name: "temperature", alias: 7, dataType: "Int16", value: -5 },
      { alias: 8, value: 1 },
    ],
  });
  assert.deepEqual(decoded(data), {
    metrics: [
      { alias: 7, value: 4294967291 },
      { alias: 8, value: 1 },
    ],
  });
});

test("a fault names its place in the document", () => {
  const metric = (fields: object) => ({ metrics: [{ name: "a", ...fields }] });
  const faults: [unknown, string][] = [
    [[], ""],
    [{ metric: [] }, ".metric"],
    [{ metrics: {} }, ".metrics"],
    [{ metrics: [{ dataType: "Int8", value: 1 }] }, ".metrics[0]"],
    [metric({ value: 1 }), ".metrics[0].dataType"],
    [metric({ dataType: "int8", value: 1 }), ".metrics[0].dataType"],
    [metric({ dataType: "Int8", value: 128 }), ".metrics[0].value"],
    [metric({ dataType: "UInt8", value: -1 }), ".metrics[0].value"],
    [metric({ dataType: "Int8", value: 1.5 }), ".metrics[0].value"],
    [metric({ dataType: "Bytes", value: "?" }), ".metrics[0].value"],
    [metric({ dataType: "Int8Array", value: [1, "2"] }), ".metrics[0].value[1]"],
    [metric({ dataType: "DataSet", value: { columns: ["a"], types: [], rows: [] } }), ".metrics[0].value.types"],
    [metric({ properties: { unit: { value: "x" } } }), ".metrics[0].properties.unit.type"],
    [{ timestamp: -1 }, ".timestamp"],
  ];
  for (const [value, path] of faults) {
    const result = fault(value);
    assert.ok(!(result instanceof Uint8Array), JSON.stringify(value));
    assert.equal(result.path, path);
  }
});

test("random bytes and truncated payloads never throw", () => {
  fc.assert(
    fc.property(fc.uint8Array({ maxLength: 200 }), fc.nat(300), (bytes, length) => {
      for (const payload of [bytes, vector("tahu").subarray(0, length)]) {
        const result = decodePayload("sparkplug", payload, { maxChars: 10_000 });
        if ("json" in result) JSON.parse(result.json);
        else assert.match(result.error, /^not Sparkplug B: ./);
      }
    }),
  );
});

test("every scalar survives the way to the device and back", () => {
  const value = fc.oneof(
    fc.record({ dataType: fc.constant("Int64"), value: fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }) }),
    fc.record({ dataType: fc.constant("UInt32"), value: fc.nat(2 ** 32 - 1) }),
    fc.record({ dataType: fc.constant("Int8"), value: fc.integer({ min: -128, max: 127 }) }),
    fc.record({ dataType: fc.constant("Double"), value: fc.double({ noNaN: true, noDefaultInfinity: true }) }),
    fc.record({ dataType: fc.constant("String"), value: fc.string() }),
    fc.record({ dataType: fc.constant("Boolean"), value: fc.boolean() }),
  );
  fc.assert(
    fc.property(value, ({ dataType, value }) => {
      const text = typeof value === "bigint" ? value.toString() : JSON.stringify(value);
      const json = `{"metrics":[{"name":"a","dataType":"${dataType}","value":${text}}]}`;
      assert.deepEqual(decodePayload("sparkplug", encoded(json), { maxChars: 10_000 }), { json });
    }),
  );
});

test("the numbers of the data types are those of the specification", () => {
  assert.equal(DATA_TYPES.indexOf("DateTime"), 13);
  assert.equal(DATA_TYPES.indexOf("Template"), 19);
  assert.equal(DATA_TYPES.indexOf("DateTimeArray"), 34);
});
