import assert from "node:assert/strict";
import { it } from "node:test";
import { requireOrSkip } from "../support/requirements.ts";
import { fuzz } from "./fuzz.ts";

const CALLS = Number(process.env.FUZZ_CALLS ?? 1_500);
const seed = Number(process.env.FUZZ_SEED ?? 1);

/**
 * A short run of `npm run fuzz` as a test: every response conforms to the contract. The seed is fixed, so that only a
 * change can cause a failure; `FUZZ_SEED` sets another one, and `npm run fuzz` uses a random one. `FUZZ_CALLS` sets the
 * length.
 */
export function fuzzShortly(store: "embedded" | "redis", broker: "embedded" | "mosquitto"): void {
  const needed = store === "redis" ? requireOrSkip("mosquitto", "redis-server") : {};
  it(`random calls get valid responses: ${CALLS}, store ${store}, broker ${broker}`, needed, async (t) => {
    t.diagnostic(`npm run fuzz -- --seed ${seed} --calls ${CALLS} --store ${store} --broker ${broker}`);
    const progress = (line: string) => t.diagnostic(line);
    const report = await fuzz({ seed, calls: CALLS, store, broker, concurrency: 16, without: new Set(), progress });
    t.diagnostic(`${Math.round(report.callsPerSecond)} calls/s`);
    assert.deepEqual(report.faults, []);
    assert.deepEqual(report.neverSucceeded, [], "the checks of an operation hide what lies behind them");
  });
}
