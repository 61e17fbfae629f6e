/**
 * Queue limiter. BullMQ has one counter per queue, shared by all instances, which counts the jobs taken in a time
 * window. It enforces a webhook's `rateLimit`, and is set to full to pause the whole endpoint.
 */
import type { Queue } from "bullmq";

export interface RateLimit {
  max: number;
  perSeconds: number;
}

/** Limiter without a limit of its own: pauses need a limiter to take effect. The number fits PostgreSQL's integer. */
const NO_LIMIT = { max: 1_000_000_000, duration: 1_000 };

export function limiterOf(rateLimit: RateLimit | undefined): { max: number; duration: number } {
  return rateLimit ? { max: rateLimit.max, duration: rateLimit.perSeconds * 1_000 } : NO_LIMIT;
}

type Limited = Pick<Queue, "getRateLimitTtl" | "rateLimit" | "removeRateLimitKey">;

/**
 * Pauses the queue for `ms`, or longer if a longer pause is in progress. A pause resets the counter: with a rate limit
 * it lasts at least until the jobs already taken would no longer exceed the rate.
 */
export async function pauseQueue(queue: Limited, ms: number, rateLimit?: RateLimit): Promise<void> {
  if ((await queue.getRateLimitTtl(NO_LIMIT.max)) >= ms) return;
  const owed = rateLimit ? await owedMs(queue, rateLimit) : 0;
  await queue.rateLimit(Math.ceil(Math.max(ms, owed)));
}

/** Ends a pause, if there is one; otherwise the counter of a rate limit is left unchanged. */
export async function resumeQueue(queue: Limited): Promise<void> {
  if ((await queue.getRateLimitTtl(NO_LIMIT.max)) > 0) await queue.removeRateLimitKey();
}

async function owedMs(queue: Limited, { max, perSeconds }: RateLimit): Promise<number> {
  const windowMs = perSeconds * 1_000;
  const leftMs = await queue.getRateLimitTtl(1);
  if (leftMs <= 0) return 0;
  return ((await taken(queue, max)) / max) * windowMs - (windowMs - leftMs);
}

/** Counts the jobs taken in this window, by bisection: BullMQ only tells whether a number is reached. */
async function taken(queue: Limited, max: number): Promise<number> {
  let [reached, highest] = [1, max];
  while (reached < highest) {
    const middle = Math.ceil((reached + highest) / 2);
    if ((await queue.getRateLimitTtl(middle)) > 0) reached = middle;
    else highest = middle - 1;
  }
  return reached;
}
