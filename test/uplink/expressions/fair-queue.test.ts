/** Policy of the sandbox without processes: the order of tasks, and the placement of each webhook's expressions. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { FairQueue } from "../../../src/uplink/expressions/fair-queue.ts";
import {
  ALLOWED_OVERRUNS,
  APART_MS,
  changed,
  evaluated,
  isExhausted,
  MAX_DEBT,
  newcomer,
  overran,
  PROBATION,
  REFILL_MS,
  type Standing,
} from "../../../src/uplink/expressions/sandbox-policy.ts";
import fc from "../../support/property.ts";

const NOW = 1_000_000_000_000;
const quick = (times: number, from: Standing, now = NOW) => long(Array(times).fill(0), from, now);
const long = (costs: number[], from: Standing, now = NOW) =>
  costs.reduce((standing, ms) => evaluated(standing, ms, now), from);
const overruns = (times: number, from: Standing) =>
  Array.from({ length: times }).reduce<Standing>((standing) => overran(standing, NOW), from);
const fresh = newcomer({ filter: "a" });
const proved = quick(PROBATION, fresh);

describe("standing", () => {
  for (const [title, standing, place] of [
    ["a new expression", fresh, "slow"],
    ["not quite proved", quick(PROBATION - 1, fresh), "slow"],
    ["proved quick", proved, "fast"],
    ["a pause of the garbage collector", long([5], proved), "fast"],
    ["one very long evaluation", long([MAX_DEBT], proved), "slow"],
    ["more than a millisecond on average", long([6, 0, 0, 6, 0, 0, 6, 0, 0, 6, 0, 0, 6, 0, 0, 6], proved), "slow"],
    ["an overrun", overran(proved, NOW), "slow"],
    ["quick right after an overrun", quick(100, overran(proved, NOW)), "slow"],
    ["quick long after an overrun", quick(PROBATION, overran(proved, NOW), NOW + APART_MS), "fast"],
    ["changed", changed(proved, { filter: "b" }, NOW), "slow"],
    ["changed and quick after an overrun", quick(100, changed(overran(proved, NOW), { filter: "b" }, NOW)), "slow"],
  ] as const) {
    it(`${title}: ${place}`, () => assert.equal(standing.place, place));
  }

  it("allows a few overruns, and one more every REFILL_MS", () => {
    const used = overruns(ALLOWED_OVERRUNS, fresh);
    assert.equal(isExhausted(overruns(ALLOWED_OVERRUNS - 1, fresh), NOW), false);
    assert.equal(isExhausted(used, NOW), true);
    assert.equal(isExhausted(used, NOW + REFILL_MS), false);
    assert.equal(isExhausted(overran(used, NOW + REFILL_MS), NOW + REFILL_MS), true);
    const next = changed(used, { filter: "b" }, NOW);
    assert.equal(isExhausted(next, NOW), false, "a changed expression is evaluated");
    assert.equal(isExhausted(overruns(2, next), NOW), true);
  });

  it("bounds the overruns of any sequence in any window", () => {
    const step = fc.record({ longMs: fc.constantFrom(0, 9, undefined), waitMs: fc.nat(30_000) });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 300 }), (steps) => {
        let [standing, now, count] = [fresh, NOW, 0];
        for (const { longMs, waitMs } of steps) {
          now += waitMs;
          if (isExhausted(standing, now)) continue;
          if (longMs === undefined) count++;
          standing = longMs === undefined ? overran(standing, now) : evaluated(standing, longMs, now);
        }
        assert.ok(count <= ALLOWED_OVERRUNS + (now - NOW) / REFILL_MS);
      }),
    );
  });
});

describe("turns", () => {
  it("lose nothing, count the waiting tasks, and keep the order within a key", () => {
    const key = fc.constantFrom("a", "b", "c");
    const step = fc.oneof(
      fc.record({ put: key, isFirst: fc.boolean() }),
      fc.record({ take: key }),
      fc.record({ charge: key }),
      fc.constant("next" as const),
    );
    fc.assert(
      fc.property(fc.array(step), (steps) => {
        const turns = new FairQueue<{ key: string; n: number }>();
        const waiting: Record<string, { key: string; n: number }[]> = { a: [], b: [], c: [] };
        for (const [n, each] of steps.entries()) {
          if (each === "next") {
            const item = turns.next();
            assert.equal(item === undefined, Object.values(waiting).flat().length === 0);
            if (item) assert.equal(item, waiting[item.key]!.shift());
          } else if ("put" in each) {
            const item = { key: each.put, n };
            if (each.isFirst) waiting[each.put]!.unshift(item);
            else waiting[each.put]!.push(item);
            turns.put(each.put, item, each.isFirst);
          } else if ("take" in each) assert.deepEqual(turns.take(each.take), waiting[each.take]!.splice(0));
          else turns.charge(each.charge, 5);
          for (const [name, items] of Object.entries(waiting)) assert.equal(turns.count(name), items.length);
          assert.equal(turns.isEmpty, Object.values(waiting).flat().length === 0);
        }
        assert.deepEqual(new Set(turns.takeAll()), new Set(Object.values(waiting).flat()));
      }),
    );
  });

  it("give each key its turn, for any backlog of the others", () => {
    const turns = new FairQueue<string>();
    for (let i = 0; i < 100; i++) turns.put("greedy", "greedy");
    for (const key of ["a", "b"]) turns.put(key, key);
    assert.deepEqual([turns.next(), turns.next(), turns.next()], ["greedy", "a", "b"]);
  });

  it("share the time between the keys, and limit the credit of each", () => {
    const turns = new FairQueue<[key: string, costMs: number]>();
    const used: Record<string, number> = { slow: 0, quick: 0, late: 0 };
    const put = (key: string, costMs: number) => {
      for (let i = 0; i < 2_000; i++) turns.put(key, [key, costMs]);
    };
    const run = (count: number) => {
      for (let i = 0; i < count; i++) {
        const [key, costMs] = turns.next()!;
        turns.charge(key, costMs);
        used[key]! += costMs;
      }
    };
    put("slow", 400);
    put("quick", 5);
    run(1_000);
    assert.ok(used.slow! <= used.quick! + 400, JSON.stringify(used));
    put("late", 5);
    run(1_000);
    assert.ok(used.late! <= 3_500, JSON.stringify(used));
  });
});
