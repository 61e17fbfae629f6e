/** Exponential back-off. */

/** Milliseconds before the next attempt: `firstMs` after the first failure, doubled at each further one, up to `maxMs`. */
export function backoffMs(failures: number, firstMs: number, maxMs: number): number {
  return Math.min(firstMs * 2 ** (Math.max(1, failures) - 1), maxMs);
}

/** A random time between half of `ms` and `ms`, so that many that failed at the same instant do not retry together. */
export function withJitter(ms: number, random: () => number = Math.random): number {
  return Math.ceil((ms / 2) * (1 + random()));
}
