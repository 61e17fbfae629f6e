import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Limiter, type RateLimit } from "../../src/keys/limiter.ts";
import fc from "../support/property.ts";

function start(limit: RateLimit, at = 0) {
  const clock = { ms: at };
  return { clock, limiter: new Limiter(limit, () => clock.ms) };
}

describe("the rate limit", () => {
  it("admits max requests at once, then one each time its share of the period has passed", () => {
    const { clock, limiter } = start({ max: 3, perSeconds: 6 });
    const remaining = [1, 1, 1].map(() => limiter.take(1).remaining);
    assert.deepEqual(remaining, [2, 1, 0]);
    assert.deepEqual(limiter.take(1), { allowed: false, limit: 3, remaining: 0, resetSeconds: 2 });
    clock.ms += 1_999;
    assert.equal(limiter.take(1).allowed, false);
    clock.ms += 1;
    assert.deepEqual(limiter.take(1), { allowed: true, limit: 3, remaining: 0, resetSeconds: 6 });
    assert.equal(limiter.take(1).allowed, false);
  });

  it("takes nothing when there is no room for the whole count", () => {
    const { limiter } = start({ max: 10, perSeconds: 1 });
    assert.deepEqual(limiter.take(8), { allowed: true, limit: 10, remaining: 2, resetSeconds: 1 });
    assert.deepEqual(limiter.take(3), { allowed: false, limit: 10, remaining: 2, resetSeconds: 1 });
    assert.equal(limiter.take(2).allowed, true);
  });

  it("never allows more at once than the limit, and keeps the remainder", () => {
    const { clock, limiter } = start({ max: 5, perSeconds: 10 });
    assert.deepEqual(limiter.take(6), { allowed: false, limit: 5, remaining: 5, resetSeconds: 1 });
    clock.ms += 1e9;
    assert.equal(limiter.take(6).allowed, false);
    assert.equal(limiter.take(5).allowed, true);
  });

  it("accumulates no more than the limit", () => {
    const { clock, limiter } = start({ max: 2, perSeconds: 1 });
    clock.ms += 3_600_000;
    assert.deepEqual(
      [1, 1, 1].map(() => limiter.take(1).allowed),
      [true, true, false],
    );
  });

  it("treats a clock that goes back as one that stands still", () => {
    const { clock, limiter } = start({ max: 1, perSeconds: 1 }, 10_000);
    limiter.take(1);
    clock.ms = 0;
    assert.equal(limiter.take(1).allowed, false);
    clock.ms = 1_000;
    assert.equal(limiter.take(1).allowed, true);
  });

  const limits = fc.record({
    max: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 1_000_000 })),
    perSeconds: fc.oneof(fc.integer({ min: 1, max: 20 }), fc.integer({ min: 1, max: 86_400 })),
  });

  it("allows at most max plus the refill since the start, for any counts at any times", () => {
    const asks = fc.array(fc.record({ wait: fc.double({ min: 0, max: 5_000, noNaN: true }), count: fc.nat(30) }));
    fc.assert(
      fc.property(limits, asks, (limit, steps) => {
        const { clock, limiter } = start(limit, 0.5);
        let taken = 0;
        for (const { wait, count } of steps) {
          clock.ms += wait;
          const { allowed, remaining } = limiter.take(count);
          if (allowed) taken += count;
          const most = limit.max + (Math.floor(clock.ms) * limit.max) / (limit.perSeconds * 1_000);
          assert.ok(taken + remaining <= most, `${taken} of ${most}`);
        }
      }),
    );
  });

  it("admits a client after the announced wait, and not a second earlier", () => {
    fc.assert(
      fc.property(limits, fc.nat(), fc.nat(), fc.nat(10_000), (limit, a, b, ms) => {
        const { clock, limiter } = start(limit);
        limiter.take(a % (limit.max + 1));
        clock.ms += ms;
        const count = 1 + (b % limit.max);
        const { allowed, resetSeconds } = limiter.take(count);
        if (allowed) return;
        clock.ms += resetSeconds * 1_000;
        assert.ok(limiter.take(count).allowed);
        limiter.take(limit.max);

        const other = start(limit);
        other.limiter.take(a % (limit.max + 1));
        other.clock.ms += ms + (resetSeconds - 1) * 1_000;
        assert.ok(!other.limiter.take(count).allowed);
      }),
    );
  });

  it("is full again after the announced time", () => {
    fc.assert(
      fc.property(limits, fc.nat(), (limit, a) => {
        const { clock, limiter } = start(limit);
        const { resetSeconds } = limiter.take(a % (limit.max + 1));
        clock.ms += resetSeconds * 1_000;
        assert.ok(limiter.take(limit.max).allowed);
      }),
    );
  });
});
