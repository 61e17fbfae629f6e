/** How many messages wait in the outbox, at a price that every publish can pay. */
import type { Queue } from "bullmq";

/** How old a count may be. */
const COUNT_MS = 1_000;

/** Asked of the store at most once in COUNT_MS; what was added here since is added to it. */
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
    /** Without waiting; asks for a better one if this is old. */
    estimate(): number {
      recent().catch(() => undefined);
      return known + added;
    },
  };
}
