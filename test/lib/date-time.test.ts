import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { parseDateTime } from "../../src/lib/date-time.ts";
import fc from "../support/property.ts";

describe("the RFC 3339 parser", () => {
  for (const [text, iso] of [
    ["1985-04-12T23:20:50.52Z", "1985-04-12T23:20:50.520Z"],
    ["1996-12-19T16:39:57-08:00", "1996-12-20T00:39:57.000Z"],
    ["2026-03-01t12:00:00z", "2026-03-01T12:00:00.000Z"],
    ["2024-02-29T00:00:00+00:00", "2024-02-29T00:00:00.000Z"],
    ["2026-03-01T12:00:00.123456789Z", "2026-03-01T12:00:00.123Z"],
    ["0001-01-01T00:00:00Z", "0001-01-01T00:00:00.000Z"],
    ["2026-03-01T00:30:00+05:30", "2026-02-28T19:00:00.000Z"],
    ["2026-12-31T23:30:00-00:45", "2027-01-01T00:15:00.000Z"],
    ["9999-12-31T23:59:59Z", "9999-12-31T23:59:59.000Z"],
  ] as const) {
    it(`reads ${text} as ${iso}`, () => assert.equal(parseDateTime(text), Date.parse(iso)));
  }

  for (const text of [
    "",
    "2026-03-01",
    "2026-03-01T12:00Z",
    "2026-03-01T12:00:00",
    "2026-03-01 12:00:00Z",
    "2026-3-1T12:00:00Z",
    "2026-02-30T00:00:00Z",
    "2025-02-29T00:00:00Z",
    "2026-13-01T00:00:00Z",
    "2026-00-10T00:00:00Z",
    "2026-01-00T00:00:00Z",
    "2026-01-01T24:00:00Z",
    "2026-01-01T00:60:00Z",
    "2016-12-31T23:59:60Z", // a leap second
    "2026-01-01T00:00:61Z",
    "2026-01-01T00:00:00.Z",
    "2026-01-01T00:00:00+24:00",
    "2026-01-01T00:00:00+0100",
    "+02026-01-01T00:00:00Z",
    "2026-01-01T00:00:00Z\n",
    " 2026-01-01T00:00:00Z",
    "Thu, 01 Jan 2026 00:00:00 GMT",
    "1767225600",
  ]) {
    it(`refuses ${JSON.stringify(text)}`, () => assert.equal(parseDateTime(text), undefined));
  }

  it("reads the output of toISOString", () => {
    const years = { min: new Date("0001-01-01"), max: new Date("9999-12-31"), noInvalidDate: true };
    fc.assert(fc.property(fc.date(years), (date) => assert.equal(parseDateTime(date.toISOString()), date.getTime())));
  });
});
