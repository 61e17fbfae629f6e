/**
 * Waiting times that suit the machine. A timeout in a test bounds how long the test waits before it fails; on a slow or
 * busy machine the same work takes longer. `scaled` multiplies by a factor measured when a test file first asks.
 * `TEST_SLOWNESS` sets the factor instead, for example 4 under an emulator.
 */
import { createHash } from "node:crypto";

/** Duration of `work` on the idle machine (two cores at 2.5 GHz) for which the waiting times were chosen. */
const REFERENCE_MS = 8;
/** Upper limit, so that a hanging test still ends. */
const LARGEST = 10;

let measured: number | undefined;

/** Returns how many times slower this machine is than the reference; at least 1. */
export function slowness(): number {
  measured ??= Number(process.env.TEST_SLOWNESS) || Math.min(LARGEST, Math.max(1, measure() / REFERENCE_MS));
  return measured;
}

/** Returns a waiting time in milliseconds, extended on a machine that is slower than the reference. */
export function scaled(ms: number): number {
  return Math.ceil(ms * slowness());
}

/** Returns the median duration of three runs: the first one includes compilation, a single one an interruption. */
function measure(): number {
  const runs = Array.from({ length: 3 }, work).sort((a, b) => a - b);
  return runs[1]!;
}

/** Builds strings, fills a map and hashes, as the tests and the bridge do. */
function work(): number {
  const startedAt = performance.now();
  const lengths = new Map<number, string>();
  for (let i = 0; i < 50_000; i++) lengths.set(i % 5_000, `${i}`);
  let bytes: Buffer = Buffer.from([...lengths.values()].join());
  for (let i = 0; i < 30; i++) bytes = Buffer.concat([createHash("sha512").update(bytes).digest(), bytes.subarray(64)]);
  return performance.now() - startedAt;
}
