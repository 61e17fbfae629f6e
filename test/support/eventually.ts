/** Polling, for states that no event announces. */
import { setTimeout as delay } from "node:timers/promises";
import { inspect } from "node:util";
import { scaled } from "./speed.ts";

const INTERVAL_MS = 20;

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
  for (const end = performance.now() + scaled(ms); ; await delay(INTERVAL_MS)) {
    const value = await read();
    if (holds(value)) return value;
    if (performance.now() > end)
      throw new Error(`after ${scaled(ms)} ms still not true: ${wanted}. Last value: ${inspect(value, { depth: 5 })}`);
  }
}
