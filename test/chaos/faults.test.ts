/** The fault schedule: a pure function of its seed, within its bounds, with every kind of fault. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { LINKS, PROCESSES, schedule } from "./faults.ts";

const OPTIONS = { lengthMs: 600_000, meanGapMs: 4_000, longestMs: 10_000 };
const SEEDS = Array.from({ length: 50 }, (_, i) => i * 7_919);

describe("schedule", () => {
  it("is the same for the same seed, and different for another seed", () => {
    assert.deepEqual(schedule(42, OPTIONS), schedule(42, OPTIONS));
    const all = SEEDS.map((seed) => JSON.stringify(schedule(seed, OPTIONS)));
    assert.equal(new Set(all).size, SEEDS.length);
  });

  it("starts and mends every fault within the run, in order, within the longest duration", () => {
    for (const seed of SEEDS) {
      const faults = schedule(seed, OPTIONS);
      assert.ok(faults.length > 75 && faults.length < 225, `${faults.length} faults, ${seed}`);
      let last = 0;
      for (const { at, ms, kind } of faults) {
        assert.ok(at >= last && at + ms <= OPTIONS.lengthMs && ms <= OPTIONS.longestMs, `seed ${seed}`);
        assert.equal(ms === 0, kind === "reset");
        last = at;
      }
    }
  });

  it("separates the faults of one target, and lets those of different targets overlap", () => {
    let overlaps = 0;
    for (const seed of SEEDS) {
      const faults = schedule(seed, OPTIONS);
      for (const [i, fault] of faults.entries()) {
        const during = faults.slice(i + 1).filter(({ at }) => at < fault.at + fault.ms);
        overlaps += during.length;
        assert.ok(
          !during.some(({ target }) => target === fault.target),
          `seed ${seed}: two of ${fault.target} at once`,
        );
      }
    }
    assert.ok(overlaps > 0);
  });

  it("contains every target with every kind that fits it in ten minutes", () => {
    for (const seed of SEEDS) {
      const names = new Set(schedule(seed, OPTIONS).map(({ target, kind }) => `${kind} ${target}`));
      const bridges = ["bridge-a", "bridge-b"].flatMap((name) => [
        `kill ${name}`,
        `terminate ${name}`,
        `freeze ${name}`,
      ]);
      const others = [
        "kill redis",
        "freeze redis",
        "kill receiver",
        "freeze receiver",
        "kill broker",
        "terminate broker",
        "freeze broker",
      ];
      const links = LINKS.flatMap((link) => ["cut", "stall", "delay", "reset"].map((kind) => `${kind} ${link}`));
      assert.deepEqual([...names].sort(), [...bridges, ...others, ...links].sort(), `seed ${seed}`);
    }
  });

  it("contains several faults even in a short run, and starts with a kill of each process", () => {
    for (const seed of SEEDS) {
      const faults = schedule(seed, { lengthMs: 12_000, meanGapMs: 1_000, longestMs: 2_000 });
      assert.ok(faults.length >= 3, `${faults.length} faults, seed ${seed}`);
      const first = faults.slice(0, PROCESSES.length);
      assert.ok(
        first.every(({ kind }) => kind === "kill"),
        `seed ${seed}`,
      );
      assert.equal(new Set(first.map(({ target }) => target)).size, first.length);
      assert.ok(faults.every(({ target }) => [...PROCESSES, ...LINKS].includes(target)));
    }
  });
});
