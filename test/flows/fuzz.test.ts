/**
 * A short run of `npm run fuzz`: every response conforms to the contract. The seed is fixed, so that only a change can
 * cause a failure; `FUZZ_SEED` sets another one, and `npm run fuzz` uses a random one. `FUZZ_CALLS` sets the length.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzz } from "../fuzz/fuzz.ts";
import { requireOrSkip } from "../support/requirements.ts";

/** Calls for each setup. Far fewer leave operations that never succeed. */
const CALLS = Number(process.env.FUZZ_CALLS ?? 2_500);
const seed = Number(process.env.FUZZ_SEED ?? 1);

describe("random calls generated from the contract", () => {
  for (const [store, broker] of [
    ["embedded", "embedded"],
    ["redis", "mosquitto"],
  ] as const) {
    const needed = store === "redis" ? requireOrSkip("mosquitto", "redis-server") : {};
    it(`get valid responses: ${CALLS}, store ${store}, broker ${broker}`, needed, async (t) => {
      t.diagnostic(`npm run fuzz -- --seed ${seed} --calls ${CALLS} --store ${store} --broker ${broker}`);
      const progress = (line: string) => t.diagnostic(line);
      const report = await fuzz({ seed, calls: CALLS, store, broker, concurrency: 16, without: new Set(), progress });
      t.diagnostic(`${Math.round(report.callsPerSecond)} calls/s`);
      assert.deepEqual(report.faults, []);
      assert.deepEqual(report.neverSucceeded, [], "the checks of an operation hide what lies behind them");
    });
  }
});
