/** Ranges and steps, and the parts of the store that they read. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Refused } from "../../../src/errors.ts";
import { HOURS, MINUTES, sectionsOf, totalSections } from "../../../src/ops/series/resolutions.ts";
import { type Range, stepsOf } from "../../../src/ops/series/steps.ts";

const at = (text: string) => Date.parse(`2026-03-${text}Z`);
const NOW = at("11T10:20:30.500");

describe("steps", () => {
  const accepted: [range: Range, stepSeconds: number | undefined, count: number, from: number][] = [
    ["1h", undefined, 60, at("11T09:21:00")],
    ["1h", 60, 60, at("11T09:21:00")],
    ["1h", 3_600, 1, at("11T10:00:00")],
    ["1h", 1_200, 3, at("11T09:40:00")],
    ["24h", undefined, 288, at("10T10:25:00")],
    ["24h", 60, 1_440, at("10T10:21:00")],
    ["24h", 86_400, 1, at("11T00:00:00")],
    ["30d", undefined, 720, Date.parse("2026-02-09T11:00:00Z")],
    ["30d", 86_400, 30, Date.parse("2026-02-10T00:00:00Z")],
  ];
  for (const [range, stepSeconds, count, from] of accepted) {
    it(`of ${stepSeconds ?? "the default of"} ${range} are ${count} up to the current one`, () => {
      const steps = stepsOf({ range, ...(stepSeconds && { stepSeconds }) }, NOW);
      assert.ok(!(steps instanceof Refused));
      assert.deepEqual([steps.count, steps.from], [count, from]);
      const last = steps.from + (count - 1) * steps.stepMs;
      assert.ok(last <= NOW && NOW < last + steps.stepMs);
    });
  }

  const refused: [reason: string, range: Range, stepSeconds: number][] = [
    ["is no multiple of a minute", "1h", 90],
    ["does not divide the range", "1h", 420],
    ["is longer than the range", "1h", 7_200],
    ["does not divide a day", "24h", 25_200],
    ["is shorter than the stored hour", "30d", 60],
    ["is no multiple of an hour", "30d", 5_400],
  ];
  for (const [reason, range, stepSeconds] of refused) {
    it(`are refused if the duration ${reason}`, () => {
      const steps = stepsOf({ range, stepSeconds }, NOW);
      assert.ok(steps instanceof Refused);
      assert.deepEqual([steps.code, steps.errors?.[0]?.path], ["invalid_request", "query.stepSeconds"]);
    });
  }
});

describe("the parts to read", () => {
  const brief = (parts: ReturnType<typeof sectionsOf>) =>
    parts.map(({ resolution: { name, stepMs, size }, group, from, to }) => [
      name,
      new Date(group * stepMs * size).toISOString(),
      ...[from, to].map((ms) => new Date(ms).toISOString()),
    ]);
  const [start, end] = ["2026-03-10T10:25:00.000Z", "2026-03-11T10:25:00.000Z"];

  it("are every group that overlaps with the range", () => {
    const parts = sectionsOf(MINUTES, Date.parse(start), Date.parse(end));
    assert.equal(parts.length, 25);
    assert.deepEqual(brief(parts)[24], ["minute", "2026-03-11T10:00:00.000Z", start, end]);
    const whole = sectionsOf(MINUTES, at("10T10:00:00"), at("10T12:00:00"));
    assert.equal(whole.length, 2);
    assert.deepEqual(sectionsOf(MINUTES, NOW, NOW), []);
  });

  it("of totals begin fine and go on coarse", () => {
    const change = "2026-03-10T11:00:00.000Z";
    assert.deepEqual(brief(totalSections(MINUTES, Date.parse(start), Date.parse(end))), [
      ["minute", "2026-03-10T10:00:00.000Z", start, change],
      ["hour", "2026-03-10T00:00:00.000Z", change, end],
      ["hour", "2026-03-11T00:00:00.000Z", change, end],
    ]);
    const month = totalSections(HOURS, at("02T11:00:00"), at("11T11:00:00"));
    assert.deepEqual(
      month.map(({ resolution }) => resolution.name),
      ["hour", "day"],
    );
  });

  it("of totals need no fine part where a coarse step begins", () => {
    const parts = totalSections(MINUTES, at("11T10:00:00"), at("11T11:00:00"));
    assert.deepEqual(
      parts.map(({ resolution }) => resolution.name),
      ["hour"],
    );
  });

  it("of totals end with the range, even before a coarse step begins", () => {
    const parts = totalSections(MINUTES, at("11T10:05:00"), at("11T10:10:00"));
    assert.deepEqual(brief(parts), [
      ["minute", "2026-03-11T10:00:00.000Z", "2026-03-11T10:05:00.000Z", "2026-03-11T10:10:00.000Z"],
    ]);
  });
});
