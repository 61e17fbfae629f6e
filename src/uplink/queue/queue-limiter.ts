/**
 * BullMQ's limiter has one counter a queue, over all instances: of the jobs taken in a stretch of time, which is how a
 * webhook's `rateLimit` is kept, and full for as long as the whole endpoint shall rest.
 */
import type { Queue } from "bullmq";

export interface RateLimit {
  max: number;
  perSeconds: number;
}

/** Without a limiter rests would do nothing; this one never limits by itself. It fits PostgreSQL's integer. */
const NO_LIMIT = { max: 1_000_000_000, duration: 1_000 };

export function limiterOf(rateLimit: RateLimit | undefined): { max: number; duration: number } {
  return rateLimit ? { max: rateLimit.max, duration: rateLimit.perSeconds * 1_000 } : NO_LIMIT;
}

type Limited = Pick<Queue, "getRateLimitTtl" | "rateLimit" | "removeRateLimitKey">;

/**
 * Nothing of the queue is called for `ms`, or for longer where it rests longer already. A rest begins the counter anew:
 * so with a rate limit it lasts at least as long as what was taken needs to come back.
 */
export async function pauseQueue(queue: Limited, ms: number, rateLimit?: RateLimit): Promise<void> {
  if ((await queue.getRateLimitTtl(NO_LIMIT.max)) >= ms) return;
  const owed = rateLimit ? await owedMs(queue, rateLimit) : 0;
  await queue.rateLimit(Math.ceil(Math.max(ms, owed)));
}

/** Ends a rest; the counter of a rate limit goes on. */
export async function resumeQueue(queue: Limited): Promise<void> {
  if ((await queue.getRateLimitTtl(NO_LIMIT.max)) > 0) await queue.removeRateLimitKey();
}

async function owedMs(queue: Limited, { max, perSeconds }: RateLimit): Promise<number> {
  const windowMs = perSeconds * 1_000;
  const leftMs = await queue.getRateLimitTtl(1);
  if (leftMs <= 0) return 0;
  return ((await taken(queue, max)) / max) * windowMs - (windowMs - leftMs);
}

/** How many were taken in this stretch: BullMQ only tells whether a number is reached. */
async function taken(queue: Limited, max: number): Promise<number> {
  let [reached, highest] = [1, max];
  while (reached < highest) {
    const middle = Math.ceil((reached + highest) / 2);
    if ((await queue.getRateLimitTtl(middle)) > 0) reached = middle;
    else highest = middle - 1;
  }
  return reached;
}
