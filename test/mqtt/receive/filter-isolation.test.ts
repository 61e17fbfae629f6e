/** Detection of the request at which a broker ends the connection: in few reconnects, and never another one. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import {
  forgetRequest,
  isolationReason,
  isolationReasons,
  NO_ISOLATION,
  nextRetryAt,
  planRequests,
  recordAnswer,
  recordEnd,
  recordSent,
  renewIsolated,
  retryIsolated,
  trimIsolation,
} from "../../../src/mqtt/receive/filter-isolation.ts";
import fc from "../../support/property.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const AT_ONCE = 64;
const all = () => true;

type IsWanted = (key: string) => boolean;

/** The state of a session, changed by one function after the other. */
class FilterIsolation {
  #state = NO_ISOLATION;

  sent(key: string): void {
    this.#state = recordSent(this.#state, key);
  }

  answered(key?: string): void {
    this.#state = recordAnswer(this.#state, key);
  }

  ended(now: number, why?: string) {
    const { isolation, culprit } = recordEnd(this.#state, now, why);
    this.#state = isolation;
    return culprit;
  }

  plan(keys: Iterable<string>) {
    return planRequests(this.#state, keys);
  }

  reasonFor(key: string): string | undefined {
    return isolationReason(this.#state, key);
  }

  reasons(): [key: string, reason: string][] {
    return isolationReasons(this.#state);
  }

  renew(key: string, now: number): void {
    this.#state = renewIsolated(this.#state, key, now);
  }

  retry(isWanted: IsWanted, now: number): boolean {
    const before = this.#state;
    this.#state = retryIsolated(before, isWanted, now);
    return this.#state !== before;
  }

  nextRetryAt(isWanted: IsWanted): number | undefined {
    return nextRetryAt(this.#state, isWanted);
  }

  forget(key: string): void {
    this.#state = forgetRequest(this.#state, key);
  }

  trim(isWanted: IsWanted): void {
    this.#state = trimIsolation(this.#state, isWanted);
  }
}

/** Simulates a connection to a broker that ends it at bad requests. @returns whether all requests were answered */
function connectOnce(isolation: FilterIsolation, wanted: string[], bad: ReadonlySet<string>, now = 0): boolean {
  const { alone, together } = isolation.plan(wanted);
  if (alone.length > 0) isolation.answered(); // PINGRESP
  const groups = alone.map((key) => [key]);
  for (let i = 0; i < together.length; i += AT_ONCE) groups.push(together.slice(i, i + AT_ONCE));
  for (const group of groups) {
    for (const key of group) isolation.sent(key);
    for (const key of group) {
      if (bad.has(key)) {
        isolation.ended(now);
        return false;
      }
      isolation.answered(key);
    }
  }
  return true;
}

/** Reconnects until all requests are answered that are not isolated. @returns the number of ended connections */
function settle(isolation: FilterIsolation, wanted: string[], bad: ReadonlySet<string>, now = 0): number {
  let ends = 0;
  while (!connectOnce(isolation, wanted, bad, now)) if (++ends > 10_000) throw new Error("it does not end");
  return ends;
}

const isolatedKeys = (isolation: FilterIsolation) => new Set([...isolation.reasons()].map(([key]) => key));

/** Returns isolation of which `key` is isolated at `now`. */
function isolated(key: string, now = 0): FilterIsolation {
  const isolation = new FilterIsolation();
  settle(isolation, [key], new Set([key]), now);
  return isolation;
}

describe("the request at which the broker ends the connection", () => {
  it("is found, and no other, with at most three ended connections for each", () => {
    const filters = fc.uniqueArray(
      fc.integer({ min: 0, max: 999 }).map((n) => `f/${n}`),
      { maxLength: 400 },
    );
    fc.assert(
      fc.property(filters, fc.array(fc.nat(999), { maxLength: 12 }), (wanted, numbers) => {
        const bad = new Set(numbers.map((n) => `f/${n}`).filter((key) => wanted.includes(key)));
        const isolation = new FilterIsolation();
        const ends = settle(isolation, wanted, bad);
        assert.deepEqual(isolatedKeys(isolation), bad);
        assert.ok(ends <= 3 * bad.size, `${ends} ends`);
      }),
    );
  });

  it("is found among 10,000", () => {
    const wanted = Array.from({ length: 10_000 }, (_, i) => `f/${i}`);
    const isolation = new FilterIsolation();
    assert.equal(settle(isolation, wanted, new Set(["f/9000"])), 3);
    assert.deepEqual(isolatedKeys(isolation), new Set(["f/9000"]));
    assert.equal(isolation.plan(wanted).together.length, 9_999, "the others go together again");
  });

  it("is never one that was cut off together with others, or once alone and then answered", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1 }), (cutOff) => {
        const isolation = new FilterIsolation();
        for (const key of cutOff) {
          isolation.answered();
          isolation.sent(key);
          assert.equal(isolation.ended(0), undefined);
          settle(isolation, ["a", "b", "c"], new Set());
          isolation.sent("a");
          isolation.sent("b");
          assert.equal(isolation.ended(0), undefined);
        }
        assert.deepEqual(isolatedKeys(isolation), new Set());
      }),
    );
  });

  it("is not identified at a broker that ends the connection before any response", () => {
    const isolation = new FilterIsolation();
    for (let i = 0; i < 20; i++) {
      isolation.sent("a");
      assert.equal(isolation.ended(0), undefined);
    }
  });

  it("is not one that is merely never answered, and does not blame another one", () => {
    const isolation = new FilterIsolation();
    for (let i = 0; i < 2; i++) {
      isolation.answered();
      isolation.sent("silent");
      isolation.forget("silent"); // timed out
      isolation.sent("bad");
      const isolatedNow = isolation.ended(0, "reason 0x81");
      assert.equal(isolatedNow?.key, i === 0 ? undefined : "bad");
    }
    assert.equal(isolation.reasonFor("bad"), "the broker ends the connection at this filter (reason 0x81)");
    assert.equal(isolation.reasonFor("silent"), undefined);
  });
});

describe("a request that is isolated", () => {
  it("is retried after 10 minutes, then after twice the time, up to 4 hours; each failure ends one connection", () => {
    const isolation = isolated("a");
    let now = 0;
    for (const pause of [10, 20, 40, 80, 160, 240, 240].map((minutes) => minutes * MINUTE)) {
      assert.equal(isolation.nextRetryAt(all), now + pause);
      assert.equal(isolation.retry(all, now + pause - 1), false);
      now += pause;
      assert.equal(isolation.retry(all, now), true);
      assert.equal(isolation.reasonFor("a"), undefined, "it is being tried");
      assert.equal(settle(isolation, ["a"], new Set(["a"]), now), 1);
      assert.notEqual(isolation.reasonFor("a"), undefined);
    }
  });

  it("is retried alone, a minute after a failure", () => {
    const bad = new Set(["a", "b", "c"]);
    const isolation = new FilterIsolation();
    settle(isolation, [...bad], bad);
    const now = HOUR;
    assert.equal(isolation.retry(all, now), true);
    assert.equal(settle(isolation, [...bad], bad, now), 1);
    assert.equal(isolation.retry(all, now + MINUTE - 1), false);
    assert.equal(isolation.nextRetryAt(all), now + MINUTE);
    assert.equal(isolation.retry(all, now + MINUTE), true);
    assert.equal(
      isolation.retry(() => false, 10 * HOUR),
      false,
      "and only when it is wanted",
    );
  });

  it("is retried at once when another one is answered: the broker's rules have changed", () => {
    const bad = new Set(["a", "b"]);
    const isolation = new FilterIsolation();
    settle(isolation, [...bad], bad);
    const now = 10 * MINUTE;
    assert.equal(isolation.retry(all, now), true);
    assert.equal(settle(isolation, [...bad], new Set(), now), 0);
    assert.equal(isolation.nextRetryAt(all), MINUTE);
    assert.equal(isolation.retry(all, now), true);
    assert.equal(settle(isolation, [...bad], new Set(), now), 0);
    assert.equal(isolation.nextRetryAt(all), undefined);
    assert.deepEqual(isolatedKeys(isolation), new Set());
  });

  it("is retried when it is wanted anew, at the cost of one connection, but not within a minute of the last isolation", () => {
    const isolation = isolated("a");
    isolation.renew("a", MINUTE - 1);
    assert.notEqual(isolation.reasonFor("a"), undefined);
    assert.equal(isolation.nextRetryAt(all), MINUTE);
    isolation.renew("a", MINUTE);
    assert.equal(isolation.reasonFor("a"), undefined);
    assert.equal(settle(isolation, ["a"], new Set(["a"]), MINUTE), 1);
    assert.equal(isolation.nextRetryAt(all), 21 * MINUTE);
    isolation.renew("b", HOUR);
    assert.deepEqual(isolation.plan(["b"]), { alone: [], together: ["b"] }, "nothing is known of others");
  });

  it("is forgotten when many of them are no longer wanted", () => {
    const isolation = new FilterIsolation();
    for (let i = 0; i < 1_500; i++) settle(isolation, [`f/${i}`], new Set([`f/${i}`]));
    isolation.trim((key) => key === "f/0");
    assert.equal(isolatedKeys(isolation).size, 1_000);
    assert.ok(isolatedKeys(isolation).has("f/0") && isolatedKeys(isolation).has("f/1499"));
  });
});
