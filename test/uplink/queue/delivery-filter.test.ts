/** Selection of deliveries for a list or a replay. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { requireFields } from "../../../src/api/delivery-problems.ts";
import { Problem } from "../../../src/http/problem.ts";
import { newId } from "../../../src/message.ts";
import { mayMatch, readFilter, timeOfId } from "../../../src/uplink/queue/delivery-filter.ts";
import {
  advance,
  cancel,
  finish,
  leftToDo,
  newReplay,
  type ReplayRecord,
} from "../../../src/uplink/queue/replay/replay.ts";

describe("the time in an id", () => {
  it("is the time of its creation", () => {
    const before = Date.now();
    const time = timeOfId(newId("msg"))!;
    assert.ok(time >= before && time <= Date.now());
    // RFC 9562 appendix A.6: 22 February 2022, 19:22:22 GMT.
    assert.equal(timeOfId("msg_017f22e2-79b0-7cc3-98c4-dc0c0c07398f"), Date.parse("2022-02-22T19:22:22Z"));
  });

  for (const id of ["msg_", "017f22e2-79b0-7cc3-98c4-dc0c0c07398f", "msg_017f22e2-79b0-4cc3-98c4-dc0c0c07398f"]) {
    it(`is unknown for ${id}, which may then match`, () => {
      assert.equal(timeOfId(id), undefined);
      assert.equal(mayMatch(id, { since: 1, until: 2 }), true);
    });
  }

  it("is in a range from its start, inclusive, to its end, exclusive", () => {
    const id = newId("msg");
    const time = timeOfId(id)!;
    assert.equal(mayMatch(id, { since: time, until: time + 1 }), true);
    assert.equal(mayMatch(id, { since: time + 1, until: time + 9 }), false);
    assert.equal(mayMatch(id, { since: 0, until: time }), false);
  });
});

describe("a filter of deliveries", () => {
  it("has no limits by default", () => {
    assert.deepEqual(readFilter({}), { since: -Infinity, until: Infinity, topic: undefined });
  });

  for (const [input, path, code] of [
    [{ topic: "a#" }, "query.topic", "invalid_topic_filter"],
    [{ since: "2026-03-01" }, "query.since", "invalid_request"],
    [{ until: "now" }, "query.until", "invalid_request"],
    [{ since: "2026-03-01T00:00:01Z", until: "2026-03-01T00:00:00Z" }, "query.since", "invalid_request"],
  ] as const) {
    it(`names ${path} in ${JSON.stringify(input)}`, () => {
      assert.throws(
        () => requireFields(readFilter(input), "query."),
        (error) => error instanceof Problem && error.code === code && error.errors?.[0]?.path === path,
      );
    });
  }
});

describe("a replay", () => {
  const begun = (input = {}): ReplayRecord =>
    requireFields(newReplay("wh_1", { status: "failed", ...input }, 5)).record;

  it("proceeds from the oldest to the newest, and never back", () => {
    const ids = [3, 1, 2, 4].map((n) => `msg_0000000${n}-0000-7000-8000-000000000000`);
    const sorted = [...ids].sort();
    let record: ReplayRecord = { ...begun(), count: 4 };
    assert.deepEqual(leftToDo(ids, record), sorted);
    record = advance(record, sorted.slice(0, 2), 1);
    assert.deepEqual(leftToDo(ids, record), sorted.slice(2));
    assert.equal(record.done, 1);
    record = advance(record, sorted.slice(2), 9);
    assert.deepEqual([leftToDo(ids, record), record.done], [[], 4]);
    assert.deepEqual(leftToDo(ids, begun({ since: "1970-01-01T01:00:00Z" })), []);
  });

  it("ends once", () => {
    const finished = finish({ ...begun(), count: 7 }, 9);
    assert.deepEqual([finished.state, finished.done, finished.finishedAt], ["finished", 7, 9]);
    const cancelled = cancel(begun(), 8)!;
    assert.equal(cancelled.state, "cancelled");
    for (const ended of [finished, cancelled]) assert.equal(cancel(ended, 9), undefined);
  });
});
