/** A token bucket: so many requests at once, and so many in a stretch of time on average. */
import type { Allowance } from "./caller.ts";

export interface RateLimit {
  /** Requests, 1 to 1,000,000: as many as may come at once. */
  max: number;
  /** The stretch of time in which as many come back, 1 to 86,400 s. */
  perSeconds: number;
}

/**
 * Counts in whole numbers, of which a request takes `perSeconds` × 1,000 and each millisecond brings back `max`: with
 * fractions a client that waits as long as it was told could still be refused.
 */
export class Limiter {
  readonly #limit: RateLimit;
  readonly #now: () => number;
  readonly #cost: number;
  readonly #full: number;
  #level: number;
  #at: number;

  /** @param now milliseconds; steps back are taken as no time at all */
  constructor(limit: RateLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
    this.#cost = limit.perSeconds * 1_000;
    this.#full = limit.max * this.#cost;
    this.#level = this.#full;
    this.#at = Math.floor(now());
  }

  /** Takes all of `count`, or nothing when there is not room for all of it. More than `max` is never allowed. */
  take(count: number): Allowance {
    this.#refill();
    const { max } = this.#limit;
    const wanted = count * this.#cost;
    const allowed = wanted <= this.#level;
    if (allowed) this.#level -= wanted;
    const target = allowed ? this.#full : Math.min(wanted, this.#full);
    const seconds = Math.ceil((target - this.#level) / max / 1_000);
    return {
      allowed,
      limit: max,
      remaining: Math.floor(this.#level / this.#cost),
      resetSeconds: allowed ? seconds : Math.max(1, seconds),
    };
  }

  #refill(): void {
    const now = Math.floor(this.#now());
    const elapsed = Math.max(0, now - this.#at);
    this.#level = Math.min(this.#full, this.#level + elapsed * this.#limit.max);
    this.#at = now;
  }
}
