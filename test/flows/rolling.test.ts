/**
 * Rolling restarts of two instances under load: SIGTERM, wait, start again, one after the other. The other instance
 * becomes the receiver each time. For more restarts at another rate:
 *
 *     RESTARTS=10 PER_SECOND=1000 node --import tsx --test test/flows/rolling.test.ts
 */
import assert from "node:assert/strict";
import { describe, it, type TestContext } from "node:test";
import type { TestBridge } from "../support/bridge.ts";
import { receiverStatusOf, startInstances, untilAll, untilHolds } from "../support/instances.ts";
import { publishLoad, tally } from "../support/load.ts";
import type { ReceivedCall } from "../support/receiver.ts";
import { requireOrSkip } from "../support/requirements.ts";
import { scaled } from "../support/speed.ts";

const RESTARTS = Number(process.env.RESTARTS ?? 2);
const PER_SECOND = Number(process.env.PER_SECOND ?? 150);
const CONCURRENCY = 20;
const STOP_MS = 15_000;
/** Shorter than the lease, which proves a hand-over. */
const PAUSE_MS = 3_000;

describe("rolling restarts under load", requireOrSkip("mosquitto", "redis-server"), () => {
  it(`lose nothing, repeat nothing, and hardly pause: ${RESTARTS} at ${PER_SECOND} messages a second`, async (t) => {
    const { bridges, mosquitto, receiver } = await startInstances(t);
    const [a, b] = bridges as [TestBridge, TestBridge];
    await a.register({ url: receiver.url, topics: ["load/#"], concurrency: CONCURRENCY });
    const load = publishLoad(mosquitto.url, { count: 10_000_000, perSecond: PER_SECOND, window: 1_000 });
    t.after(() => load.close());
    const underLoad = Date.now();
    await receiver.until((calls) => calls.length >= PER_SECOND);

    const takeOvers: number[] = [];
    const stops: number[] = [];
    for (let i = 0; i < RESTARTS; i++) {
      const [goes, stays] = i % 2 === 0 ? [a, b] : [b, a];
      assert.equal((await receiverStatusOf(goes)).here, true, "the one that goes is the receiver");
      const startedAt = performance.now();
      const exit = goes.stop();
      takeOvers.push(await untilHolds(stays, startedAt));
      assert.deepEqual(await exit, { code: 0, signal: null });
      stops.push(performance.now() - startedAt);
      await goes.start();
      // Both run for a second.
      const { length } = receiver.calls;
      await receiver.until((calls) => calls.length >= length + PER_SECOND);
    }
    const count = await load.finish();
    const seconds = (Date.now() - underLoad) / 1_000;
    // A slow machine has a backlog by now.
    await untilAll(receiver, count, 60_000 + RESTARTS * 10_000);

    const { missing, sameId, otherId } = tally(receiver.calls, count);
    const pause = longestPause(receiver.calls);
    report(t, { count, perSecond: count / seconds, lost: missing.length, sameId, otherId, pause });
    report(t, { slowestStop: Math.max(...stops), slowestTakeOver: Math.max(...takeOvers) });
    assert.deepEqual({ missing, sameId, otherId }, { missing: [], sameId: 0, otherId: 0 });
    assert.ok(pause < scaled(PAUSE_MS), `nothing was delivered for ${pause} ms`);
    assert.ok(Math.max(...stops) < scaled(STOP_MS), `a stop took ${Math.max(...stops)} ms`);
  });
});

/** Returns the longest pause in milliseconds. */
function longestPause(calls: readonly ReceivedCall[]): number {
  return calls.slice(1).reduce((longest, { at }, i) => Math.max(longest, at - calls[i]!.at), 0);
}

function report(t: TestContext, figures: Record<string, number>): void {
  t.diagnostic(
    Object.entries(figures)
      .map(([name, value]) => `${name} ${Math.round(value)}`)
      .join(", "),
  );
}
