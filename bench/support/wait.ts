import { setTimeout as delay } from "node:timers/promises";

/** Polls until the value is at least `wanted`. Rejects after `timeoutMs`, with the last value in the message. */
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
