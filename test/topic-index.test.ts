/** The index finds what a check of each filter finds. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { overlaps } from "../src/topic.ts";
import { OverlapIndex, TopicIndex } from "../src/topic-index.ts";
import fc from "./support/property.ts";

const level = fc.constantFrom("a", "b", "", "$x", "#x", "ä");
const topic = fc
  .array(level, { minLength: 1, maxLength: 5 })
  .map((levels) => levels.join("/"))
  .filter((name) => name !== "");
const filter = fc
  .tuple(fc.array(fc.oneof(level, fc.constant("+")), { maxLength: 4 }), fc.boolean())
  .map(([levels, hash]) => [...levels, ...(hash ? ["#"] : [])].join("/"))
  .filter((name) => name !== "");

/** MQTT 5 section 4.7 by the letter: level by level, on split lists. */
function naive(filterName: string, name: string): boolean {
  const [levels, names] = [filterName.split("/"), name.split("/")];
  if (name[0] === "$" && (levels[0] === "+" || levels[0] === "#")) return false;
  const hash = levels.at(-1) === "#";
  if (hash ? names.length < levels.length - 1 : names.length !== levels.length) return false;
  return levels.every((one, i) => one === "#" || one === "+" || one === names[i]);
}

const found = (index: TopicIndex<number>, name: string) => index.match(name).sort((a, b) => a - b);
const expected = (filters: string[], name: string) => [...filters.keys()].filter((i) => naive(filters[i]!, name));

describe("topic index", () => {
  it("returns the value of each filter that matches, once for each time it was added", () => {
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 12 }), topic, (filters, name) => {
        const index = new TopicIndex<number>();
        for (const [i, one] of filters.entries()) index.add(one, i);
        assert.deepEqual(found(index, name), expected(filters, name));
      }),
      { numRuns: 2_000 },
    );
  });

  it("is after removals as if the removed values had never been added", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(filter, fc.boolean()), { maxLength: 12 }), topic, (filters, name) => {
        const index = new TopicIndex<number>();
        const kept = new TopicIndex<number>();
        for (const [i, [one, stays]] of filters.entries()) {
          index.add(one, i);
          if (stays) kept.add(one, i);
        }
        for (const [i, [one, stays]] of filters.entries()) {
          index.remove(one, -1);
          if (!stays) index.remove(one, i);
        }
        assert.deepEqual(found(index, name), found(kept, name));
      }),
      { numRuns: 1_000 },
    );
  });

  it("applies the rule for topics that begin with $ to a leading wildcard only", () => {
    const index = new TopicIndex<string>();
    for (const one of ["#", "+/a", "+/#", "$x/#", "$x/+", "/#"]) index.add(one, one);
    assert.deepEqual(index.match("$x/a").sort(), ["$x/#", "$x/+"]);
    assert.deepEqual(index.match("/$x").sort(), ["#", "+/#", "/#"]);
    assert.deepEqual(index.match("a/a").sort(), ["#", "+/#", "+/a"]);
  });

  it("matches topics with as many levels as MQTT allows", () => {
    const index = new TopicIndex<string>();
    for (const one of ["#", "+/+/+"]) index.add(one, one);
    assert.deepEqual(index.match("/".repeat(65_535)), ["#"]);
  });

  it("finds the filters that overlap another one", () => {
    fc.assert(
      fc.property(fc.array(filter, { maxLength: 12 }), filter, (filters, other) => {
        const index = new OverlapIndex();
        for (const one of filters) index.add(one);
        const overlapping = filters.filter((one) => overlaps(one, other));
        const seen: string[] = [];
        assert.equal(index.some(other), overlapping.length > 0);
        assert.equal(
          index.some(other, (one) => seen.push(one) < 0),
          false,
        );
        assert.deepEqual(seen.sort(), overlapping.sort());
      }),
      { numRuns: 3_000 },
    );
  });
});
