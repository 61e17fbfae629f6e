/** Remembers handled events, so that a repeated call changes nothing. */
import { LRUCache } from "lru-cache";

/**
 * Storage of handled ids, e.g. Redis: `get: (id) => redis.get(id)` and
 * `set: (id, outcome) => redis.set(id, outcome, "EX", 4 * 86_400)`. When a method rejects, nothing is handled twice
 * silently: `get` makes the bridge repeat the call, `set` is reported to `onError`.
 */
export interface HandledIds {
  /** Returns the outcome that was stored for this id; null or undefined if there is none. */
  get(id: string): Promise<string | null | undefined> | string | null | undefined;
  /** @param outcome the reply, as an opaque text; empty without a reply */
  set(id: string, outcome: string): unknown;
}

export interface MemoryIdsOptions {
  max?: number;
  ttlSeconds?: number;
}

/** Longer than the retry schedule, which takes 76 hours and 20 % more. */
const FOUR_DAYS_SECONDS = 4 * 86_400;
/** Bounds the memory of the replies. */
const MAX_CHARACTERS = 64 * 1024 * 1024;

/** Keeps the latest ids in memory. A restart forgets them, and instances do not share them. */
export class MemoryIds implements HandledIds {
  readonly #outcomes: LRUCache<string, string>;

  constructor({ max = 100_000, ttlSeconds = FOUR_DAYS_SECONDS }: MemoryIdsOptions = {}) {
    this.#outcomes = new LRUCache({
      max,
      ttl: ttlSeconds * 1_000,
      ttlResolution: 0, // asks the clock instead of keeping its time with a timer
      maxSize: MAX_CHARACTERS,
      sizeCalculation: (outcome, id) => id.length + outcome.length,
    });
  }

  get(id: string): string | undefined {
    return this.#outcomes.get(id);
  }

  set(id: string, outcome: string): void {
    this.#outcomes.set(id, outcome);
  }
}
