/** Recording and reading statistics over time, on a store in memory and with a clock of its own. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Refused } from "../../../src/errors.ts";
import { type Point, SeriesReader } from "../../../src/ops/series/reader.ts";
import { SeriesRecorder } from "../../../src/ops/series/recorder.ts";
import type { Range, SeriesQuery } from "../../../src/ops/series/steps.ts";
import { MemorySeries } from "../../support/memory-series.ts";
import fc from "../../support/property.ts";

const START = Date.parse("2026-03-11T10:20:30Z");
const [MINUTE, HOUR, DAY] = [60_000, 3_600_000, 86_400_000];

function setUp(ids = ["wh_1", "wh_2"]) {
  const clock = { at: START };
  const series = new MemorySeries();
  const failures: string[] = [];
  const open = () =>
    new SeriesRecorder({
      series,
      webhooks: { get: (id: string) => (ids.includes(id) ? {} : undefined) },
      onFailed: ({ message }) => void failures.push(message),
      now: () => clock.at,
    });
  const reader = new SeriesReader({ series, now: () => clock.at });
  const of = async (id: string, query: SeriesQuery = { range: "1h" }) => {
    const found = await reader.ofWebhook(id, query);
    assert.ok(!(found instanceof Refused));
    return found.points;
  };
  const all = async (query: SeriesQuery = { range: "1h" }, own?: string[]) => {
    const found = await reader.ofAll(query, own ?? ids, own === undefined);
    assert.ok(!(found instanceof Refused));
    return found;
  };
  return { clock, series, ids, failures, open, of, all };
}

/** The sums of the counts of all points. */
function sums(points: readonly Point[]) {
  const total = { enqueued: 0, succeeded: 0, failed: 0, retried: 0 };
  for (const point of points)
    for (const name of Object.keys(total) as (keyof typeof total)[]) total[name] += point[name];
  return total;
}

describe("a recorder", () => {
  it("counts into the minute, of which a reader gets all steps, also the empty ones", async () => {
    const { clock, open, of } = setUp();
    const recorder = open();
    recorder.enqueued("wh_1");
    recorder.attempted("wh_1", "retryAt", 16);
    clock.at += 2 * MINUTE;
    recorder.attempted("wh_1", "delivered", 1);
    recorder.attempted("wh_1", "dead");
    recorder.filtered("wh_1");
    await recorder.write();
    const points = await of("wh_1");
    assert.equal(points.length, 60);
    const empty = { enqueued: 0, succeeded: 0, failed: 0, retried: 0, p50Ms: null, p99Ms: null };
    assert.deepEqual(points.slice(-4), [
      { at: "2026-03-11T10:19:00.000Z", ...empty },
      { at: "2026-03-11T10:20:00.000Z", ...empty, enqueued: 1, retried: 1, p50Ms: 13.66, p99Ms: 15.95 },
      { at: "2026-03-11T10:21:00.000Z", ...empty },
      { at: "2026-03-11T10:22:00.000Z", ...empty, succeeded: 2, failed: 1, p50Ms: 0.5, p99Ms: 0.99 },
    ]);
    assert.deepEqual(sums(await of("wh_2")), { enqueued: 0, succeeded: 0, failed: 0, retried: 0 });
  });

  it("counts messages for the bridge, and those published only if they were", async () => {
    const { open, all } = setUp();
    const recorder = open();
    for (let i = 0; i < 3; i++) recorder.received();
    for (const outcome of ["sent", "acknowledged", "refused", "timeout", "unavailable", "busy"] as const)
      recorder.published(outcome);
    await recorder.write();
    const { points, webhooks } = await all();
    assert.deepEqual([points.at(-1)?.received, points.at(-1)?.published, webhooks], [3, 2, []]);
    assert.ok(!("received" in (await all({ range: "1h" }, ["wh_1"])).points[0]!));
  });

  it("replaces its values, so that repeated writes change nothing", async () => {
    const { clock, open, of, series } = setUp();
    const recorder = open();
    for (let i = 0; i < 10; i++) {
      recorder.enqueued("wh_1");
      if (i % 3 === 0) await recorder.write();
      clock.at += 20_000;
    }
    await recorder.write();
    await recorder.write();
    assert.equal(sums(await of("wh_1")).enqueued, 10);
    const written = [...series.groups.values()].map(({ size }) => size);
    assert.deepEqual(written, [2, 2, 2], "one value each for the webhook and the bridge");
  });

  it("adds to what an earlier process of the same instance has written", async () => {
    const { open, of } = setUp();
    for (let i = 0; i < 3; i++) {
      const recorder = open();
      recorder.enqueued("wh_1");
      await recorder.stop();
    }
    assert.equal(sums(await of("wh_1")).enqueued, 3);
  });

  it("keeps counting during an outage, and writes all of it later, also ended hours and days", async () => {
    const { clock, open, of, series, failures } = setUp();
    const recorder = open();
    series.failure = new Error("away");
    for (let i = 0; i < 30; i++) {
      recorder.enqueued("wh_1");
      await recorder.write();
      clock.at += HOUR;
    }
    assert.equal(failures.length, 30);
    series.failure = undefined;
    await recorder.write();
    assert.equal(sums(await of("wh_1", { range: "30d" })).enqueued, 30);
    assert.equal(sums(await of("wh_1", { range: "24h" })).enqueued, 23);
  });

  it("drops what no range reaches any more", async () => {
    const { clock, open, series } = setUp();
    const recorder = open();
    recorder.enqueued("wh_1");
    clock.at += 80 * DAY;
    await recorder.write();
    assert.deepEqual([...series.groups.keys()], []);
  });

  it("loses nothing that is counted during a write", async () => {
    const { open, of, series } = setUp();
    const recorder = open();
    series.onPut = () => recorder.enqueued("wh_1");
    recorder.enqueued("wh_1");
    await recorder.write();
    series.onPut = () => undefined;
    await recorder.write();
    // One before, and one in the first write of each resolution.
    assert.equal(sums(await of("wh_1")).enqueued, 4);
  });

  it("survives a clock that is set back: what was written stays", async () => {
    const { clock, open, of } = setUp();
    const recorder = open();
    recorder.enqueued("wh_1");
    clock.at += 10 * HOUR;
    recorder.enqueued("wh_1");
    await recorder.write();
    clock.at -= 10 * HOUR;
    recorder.enqueued("wh_1");
    await recorder.write();
    assert.equal(sums(await of("wh_1")).enqueued, 2);
    clock.at += 10 * HOUR;
    assert.equal(sums(await of("wh_1", { range: "24h" })).enqueued, 3);
  });

  it("drops a removed webhook, and its calls that end later count for the bridge alone", async () => {
    const { open, all, ids } = setUp();
    const recorder = open();
    recorder.enqueued("wh_1");
    await recorder.write();
    ids.shift();
    recorder.forget("wh_1");
    recorder.attempted("wh_1", "delivered", 5);
    recorder.enqueued("wh_2");
    await recorder.write();
    const { points, webhooks } = await all();
    assert.deepEqual(sums(points), { enqueued: 2, succeeded: 1, failed: 0, retried: 0 });
    assert.deepEqual(
      webhooks.map(({ id, succeeded }) => [id, succeeded]),
      [["wh_2", 0]],
    );
  });

  it("and a reader agree on all sums, whatever the times, instances, ranges and steps", async () => {
    const decision = fc.constantFrom("delivered", "retryAt", "dead", "throttled", "gone");
    const event = fc.record({
      after: fc.integer({ min: 0, max: 5 * HOUR }),
      id: fc.nat(2),
      instance: fc.nat(1),
      decision,
    });
    const query = fc.constantFrom<[Range, number]>(
      ["1h", 300],
      ["24h", 60],
      ["24h", 86_400],
      ["30d", 3_600],
      ["30d", 86_400],
    );
    await fc.assert(
      fc.asyncProperty(fc.array(event, { maxLength: 60 }), query, async (events, [range, stepSeconds]) => {
        const ids = ["wh_1", "wh_2", "wh_3"];
        const { clock, open, of, all } = setUp(ids);
        const recorders = [open(), open()];
        const sent: { id: string; at: number }[] = [];
        for (const { after, id, instance, decision } of events) {
          clock.at += after;
          recorders[instance]!.attempted(ids[id]!, decision, 10);
          sent.push({ id: ids[id]!, at: clock.at });
          if (after % 7 === 0) await recorders[instance]!.write();
        }
        for (const recorder of recorders) await recorder.stop();
        const whole = await all({ range, stepSeconds });
        const own = await all({ range, stepSeconds }, ids);
        const from = Date.parse(whole.points[0]!.at);
        const attempts = ({ succeeded, failed, retried }: { succeeded: number; failed: number; retried: number }) =>
          succeeded + failed + retried;
        for (const id of ids) {
          const expected = sent.filter((one) => one.id === id && one.at >= from).length;
          assert.equal(attempts(sums(await of(id, { range, stepSeconds }))), expected);
          for (const { webhooks } of [whole, own]) {
            const total = webhooks.find((one) => one.id === id);
            assert.equal(total ? attempts(total) : 0, expected);
          }
        }
        const { received: _, published: __, ...first } = whole.points[0]!;
        assert.deepEqual(own.points[0], first);
        assert.deepEqual(sums(own.points), sums(whole.points));
        assert.deepEqual(own.webhooks, whole.webhooks);
      }),
      { numRuns: 60 },
    );
  });
});
