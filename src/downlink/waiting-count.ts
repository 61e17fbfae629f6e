/** Number of waiting messages in the outbox, cheap enough to check at every publish. */
import type { Queue } from "bullmq";

/** Maximum age of a count. */
const COUNT_MS = 1_000;

/** Reads the count from the store at most once per COUNT_MS; messages added by this process since then are included. */
export function countWaiting(queue: Queue) {
  let known = 0;
  let added = 0;
  let readAt = Number.NEGATIVE_INFINITY;
  let reading: Promise<number> | undefined;

  async function read(): Promise<number> {
    const before = added;
    const counts = await queue.getJobCounts("waiting", "prioritized", "delayed");
    known = Object.values(counts).reduce((sum, each) => sum + each, 0);
    added -= before;
    readAt = Date.now();
    return known;
  }

  function recent(): Promise<number> {
    if (Date.now() - readAt < COUNT_MS) return Promise.resolve(known + added);
    reading ??= read().finally(() => (reading = undefined));
    return reading;
  }

  return {
    recent,
    add: () => void added++,
    /** Returns at once; refreshes the count in the background if it is too old. */
    estimate(): number {
      recent().catch(() => undefined);
      return known + added;
    },
  };
}
