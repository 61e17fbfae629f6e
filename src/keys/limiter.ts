/** Token bucket: limits the requests at once and the average number of requests per period. */
import type { Allowance } from "./caller.ts";

export interface RateLimit {
  /** Maximum number of requests at once, 1 to 1,000,000. */
  max: number;
  /** Period in which an empty bucket refills completely, 1 to 86,400 s. */
  perSeconds: number;
}

/**
 * Counts in integers: a request takes `perSeconds` × 1,000 tokens, and each millisecond returns `max` tokens. With
 * fractions, a client that waits exactly as long as the response says could still be refused.
 */
export class Limiter {
  readonly #limit: RateLimit;
  readonly #now: () => number;
  readonly #cost: number;
  readonly #full: number;
  #level: number;
  #at: number;

  /** @param now clock in milliseconds; a backward step counts as no elapsed time */
  constructor(limit: RateLimit, now: () => number) {
    this.#limit = limit;
    this.#now = now;
    this.#cost = limit.perSeconds * 1_000;
    this.#full = limit.max * this.#cost;
    this.#level = this.#full;
    this.#at = Math.floor(now());
  }

  /** Takes `count` requests, or none if not all fit. More than `max` are never allowed. */
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
