/** Arithmetic of a webhook's rate limit. */

export interface RateLimit {
  max: number;
  perSeconds: number;
}

/**
 * Milliseconds until the jobs taken in the current window no longer exceed the rate.
 * @param ttlIfTaken milliseconds left of the window if at least that many jobs were taken in it; otherwise 0 or less
 */
export async function owedMs(
  { max, perSeconds }: RateLimit,
  ttlIfTaken: (count: number) => Promise<number>,
): Promise<number> {
  const windowMs = perSeconds * 1_000;
  const leftMs = await ttlIfTaken(1);
  if (leftMs <= 0) return 0;
  // Bisection: BullMQ only tells whether a number is reached.
  let [reached, highest] = [1, max];
  while (reached < highest) {
    const middle = Math.ceil((reached + highest) / 2);
    if ((await ttlIfTaken(middle)) > 0) reached = middle;
    else highest = middle - 1;
  }
  return (reached / max) * windowMs - (windowMs - leftMs);
}
