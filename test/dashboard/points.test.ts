/** Which part of a range a chart shows. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromFirst, hasAttempt, isBusy } from "../../dashboard/src/data/points.ts";
import type { MetricsPoint } from "../../src/client/index.ts";

const point = (at: number, succeeded = 0) =>
  ({ at: String(at), enqueued: 0, succeeded, failed: 0, retried: 0, p50Ms: null, p99Ms: null }) as MetricsPoint;

/** Steps of which those from `first` on have a delivery. */
const busyFrom = (first: number, count = 60) => Array.from({ length: count }, (_, i) => point(i, i >= first ? 1 : 0));

it("tells a step with an attempt from one in which deliveries were only queued", () => {
  const queued = { ...point(0), enqueued: 3 };
  assert.deepEqual([queued, point(0, 1), { ...point(0), retried: 1 }].map(hasAttempt), [false, true, true]);
  assert.ok(isBusy(queued));
});

describe("the part of a range that is shown", () => {
  const cases: [what: string, points: MetricsPoint[], count: number][] = [
    ["everything without any data", busyFrom(60), 60],
    ["everything if data begin in the first half", busyFrom(30), 60],
    ["from one empty step before the first datum", busyFrom(40), 21],
    ["at least six steps of a bridge that just started", busyFrom(59), 6],
    ["no more than there are", busyFrom(2, 3), 3],
    ["nothing of nothing", [], 0],
  ];
  for (const [what, points, count] of cases) {
    it(what, () => {
      const shown = fromFirst(points);
      assert.equal(shown.length, count);
      assert.deepEqual(shown, points.slice(points.length - count), "up to the end of the range");
      assert.equal(shown.filter(isBusy).length, points.filter(isBusy).length);
    });
  }
});
