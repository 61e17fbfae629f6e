/**
 * A short run of `npm run fuzz`: every response conforms to the contract. The seed is fixed, so that only a change can
 * cause a failure; `FUZZ_SEED` sets another one, and `npm run fuzz` uses a random one.
 */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fuzz } from "../fuzz/fuzz.ts";
import { findProgram } from "../support/requirements.ts";

/** Shared by both setups where Mosquitto and Redis are installed, as in CI. */
const CALLS = 5_000;
const BARE_CALLS = 2_000;
const seed = Number(process.env.FUZZ_SEED ?? 1);
const hasServers = ["mosquitto", "redis-server"].every((name) => findProgram(name) !== undefined);

describe("random calls generated from the contract", () => {
  for (const [store, broker] of [
    ["embedded", "embedded"],
    ["redis", "mosquitto"],
  ] as const) {
    const calls = (hasServers ? CALLS : BARE_CALLS) / (hasServers ? 2 : 1);
    const skip = store === "redis" && !hasServers && "not installed: mosquitto, redis-server";
    it(`get valid responses: ${calls}, store ${store}, broker ${broker}`, { skip, timeout: 180_000 }, async (t) => {
      t.diagnostic(`npm run fuzz -- --seed ${seed} --calls ${calls} --store ${store} --broker ${broker}`);
      const progress = (line: string) => t.diagnostic(line);
      const report = await fuzz({ seed, calls, store, broker, concurrency: 16, without: new Set(), progress });
      t.diagnostic(`${Math.round(report.callsPerSecond)} calls/s`);
      assert.deepEqual(report.faults, []);
      assert.deepEqual(report.neverSucceeded, [], "the checks of an operation hide what lies behind them");
    });
  }
});
