import { setTimeout as delay } from "node:timers/promises";

/** Asks again and again until the answer is at least `wanted`. Rejects, with the last answer, when that takes too long. */
export async function untilAtLeast(
  wanted: number,
  { read, timeoutMs, everyMs = 10 }: { read: () => Promise<number>; timeoutMs: number; everyMs?: number },
): Promise<void> {
  const until = performance.now() + timeoutMs;
  for (;;) {
    const found = await read();
    if (found >= wanted) return;
    if (performance.now() > until) throw new Error(`after ${timeoutMs / 1_000} s there are ${found} of ${wanted}`);
    await delay(everyMs);
  }
}
