/** Polling, for states that no event announces. */
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { scaled } from "./speed.ts";

const INTERVAL_MS = 20;
const MAX_INTERVAL_MS = 250;

/**
 * Reads a value again and again until it is the wanted one, and returns it. Errors of `read` reject at once.
 *
 * @param wanted a condition on the value; or, if the value only has to be truthy, a description for the error
 * @param ms scaled to the speed of the machine
 */
export async function eventually<T>(
  read: () => Promise<T> | T,
  wanted: ((value: T) => boolean) | string,
  ms = 20_000,
): Promise<T> {
  const holds = typeof wanted === "string" ? Boolean : wanted;
  const begin = performance.now();
  for (;;) {
    const value = await read();
    if (holds(value)) return value;
    const waitedMs = performance.now() - begin;
    if (waitedMs > scaled(ms))
      throw new Error(`after ${scaled(ms)} ms still not true: ${wanted}. Last value: ${inspect(value, { depth: 5 })}`);
    // The longer it takes, the less often: reading costs the bridge time, too.
    await delay(Math.min(MAX_INTERVAL_MS, INTERVAL_MS + waitedMs / 10));
  }
}
