/** Detection of the request at which a broker ends the connection: in few reconnects, and never an innocent one. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import fc from "fast-check";
import { Suspects } from "../../../src/mqtt/receive/suspect-filters.ts";

const MINUTE = 60_000;
const HOUR = 60 * MINUTE;
const AT_ONCE = 64;
const all = () => true;

/** Simulates a connection to a broker that ends it at bad requests. @returns whether all requests were answered */
function connectOnce(suspects: Suspects, wanted: string[], bad: ReadonlySet<string>, now = 0): boolean {
  const { alone, together } = suspects.plan(wanted);
  if (alone.length > 0) suspects.answered(); // PINGRESP
  const groups = alone.map((key) => [key]);
  for (let i = 0; i < together.length; i += AT_ONCE) groups.push(together.slice(i, i + AT_ONCE));
  for (const group of groups) {
    for (const key of group) suspects.sent(key);
    for (const key of group) {
      if (bad.has(key)) {
        suspects.ended(now);
        return false;
      }
      suspects.answered(key);
    }
  }
  return true;
}

/** Reconnects until all requests are answered that are not set aside. @returns the number of ended connections */
function settle(suspects: Suspects, wanted: string[], bad: ReadonlySet<string>, now = 0): number {
  let ends = 0;
  while (!connectOnce(suspects, wanted, bad, now)) if (++ends > 10_000) throw new Error("it does not end");
  return ends;
}

const setAside = (suspects: Suspects) => new Set([...suspects.reasons()].map(([key]) => key));

/** Returns suspects of which `key` is condemned at `now`. */
function condemned(key: string, now = 0): Suspects {
  const suspects = new Suspects();
  settle(suspects, [key], new Set([key]), now);
  return suspects;
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
        const suspects = new Suspects();
        const ends = settle(suspects, wanted, bad);
        assert.deepEqual(setAside(suspects), bad);
        assert.ok(ends <= 3 * bad.size, `${ends} ends`);
      }),
    );
  });

  it("is found among 10,000", () => {
    const wanted = Array.from({ length: 10_000 }, (_, i) => `f/${i}`);
    const suspects = new Suspects();
    assert.equal(settle(suspects, wanted, new Set(["f/9000"])), 3);
    assert.deepEqual(setAside(suspects), new Set(["f/9000"]));
    assert.equal(suspects.plan(wanted).together.length, 9_999, "the others go together again");
  });

  it("is never one that was cut off together with others, or once alone and then answered", () => {
    fc.assert(
      fc.property(fc.array(fc.constantFrom("a", "b", "c"), { minLength: 1 }), (cutOff) => {
        const suspects = new Suspects();
        for (const key of cutOff) {
          suspects.answered();
          suspects.sent(key);
          assert.equal(suspects.ended(0), undefined);
          settle(suspects, ["a", "b", "c"], new Set());
          suspects.sent("a");
          suspects.sent("b");
          assert.equal(suspects.ended(0), undefined);
        }
        assert.deepEqual(setAside(suspects), new Set());
      }),
    );
  });

  it("is not identified at a broker that ends the connection before any response", () => {
    const suspects = new Suspects();
    for (let i = 0; i < 20; i++) {
      suspects.sent("a");
      assert.equal(suspects.ended(0), undefined);
    }
  });

  it("is not one that is merely never answered, and does not blame another one", () => {
    const suspects = new Suspects();
    for (let i = 0; i < 2; i++) {
      suspects.answered();
      suspects.sent("silent");
      suspects.forget("silent"); // timed out
      suspects.sent("bad");
      const guilty = suspects.ended(0, "reason 0x81");
      assert.equal(guilty?.key, i === 0 ? undefined : "bad");
    }
    assert.equal(suspects.reasonFor("bad"), "the broker ends the connection at this filter (reason 0x81)");
    assert.equal(suspects.reasonFor("silent"), undefined);
  });
});

describe("a request that is set aside", () => {
  it("is retried after 10 minutes, then after twice the time, up to 4 hours; each failure ends one connection", () => {
    const suspects = condemned("a");
    let now = 0;
    for (const pause of [10, 20, 40, 80, 160, 240, 240].map((minutes) => minutes * MINUTE)) {
      assert.equal(suspects.nextRetryAt(all), now + pause);
      assert.equal(suspects.retry(all, now + pause - 1), false);
      now += pause;
      assert.equal(suspects.retry(all, now), true);
      assert.equal(suspects.reasonFor("a"), undefined, "it is being tried");
      assert.equal(settle(suspects, ["a"], new Set(["a"]), now), 1);
      assert.notEqual(suspects.reasonFor("a"), undefined);
    }
  });

  it("is retried alone, a minute after a failure", () => {
    const bad = new Set(["a", "b", "c"]);
    const suspects = new Suspects();
    settle(suspects, [...bad], bad);
    const now = HOUR;
    assert.equal(suspects.retry(all, now), true);
    assert.equal(settle(suspects, [...bad], bad, now), 1);
    assert.equal(suspects.retry(all, now + MINUTE - 1), false);
    assert.equal(suspects.nextRetryAt(all), now + MINUTE);
    assert.equal(suspects.retry(all, now + MINUTE), true);
    assert.equal(
      suspects.retry(() => false, 10 * HOUR),
      false,
      "and only when it is wanted",
    );
  });

  it("is retried at once when another one is answered: the broker's rules have changed", () => {
    const bad = new Set(["a", "b"]);
    const suspects = new Suspects();
    settle(suspects, [...bad], bad);
    const now = 10 * MINUTE;
    assert.equal(suspects.retry(all, now), true);
    assert.equal(settle(suspects, [...bad], new Set(), now), 0);
    assert.equal(suspects.nextRetryAt(all), MINUTE);
    assert.equal(suspects.retry(all, now), true);
    assert.equal(settle(suspects, [...bad], new Set(), now), 0);
    assert.equal(suspects.nextRetryAt(all), undefined);
    assert.deepEqual(setAside(suspects), new Set());
  });

  it("is retried when it is wanted anew, at the cost of one connection, but not within a minute of the last verdict", () => {
    const suspects = condemned("a");
    suspects.renew("a", MINUTE - 1);
    assert.notEqual(suspects.reasonFor("a"), undefined);
    assert.equal(suspects.nextRetryAt(all), MINUTE);
    suspects.renew("a", MINUTE);
    assert.equal(suspects.reasonFor("a"), undefined);
    assert.equal(settle(suspects, ["a"], new Set(["a"]), MINUTE), 1);
    assert.equal(suspects.nextRetryAt(all), 21 * MINUTE);
    suspects.renew("b", HOUR);
    assert.deepEqual(suspects.plan(["b"]), { alone: [], together: ["b"] }, "nothing is known of others");
  });

  it("is forgotten when many of them are no longer wanted", () => {
    const suspects = new Suspects();
    for (let i = 0; i < 1_500; i++) settle(suspects, [`f/${i}`], new Set([`f/${i}`]));
    suspects.trim((key) => key === "f/0");
    assert.equal(setAside(suspects).size, 1_000);
    assert.ok(setAside(suspects).has("f/0") && setAside(suspects).has("f/1499"));
  });
});
