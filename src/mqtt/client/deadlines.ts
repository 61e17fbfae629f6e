/**
 * Many deadlines of equal length, watched by one timer: a timer for each would cost more than the work it guards. A met
 * deadline is removed at once: kept to its end, it would outlive the young generation and cost more to collect than to
 * watch.
 */
export class Deadlines<T> {
  /** End times by item; in order, since all deadlines are equally long. */
  readonly #ends = new Map<T, number>();
  #timer: NodeJS.Timeout | undefined;

  /** @param ms their length; they expire up to a fortieth of it late */
  constructor(
    private readonly ms: number,
    private readonly expire: (item: T) => void,
  ) {}

  start(item: T): void {
    this.#ends.set(item, Date.now() + this.ms);
    this.#timer ??= setInterval(() => this.#sweep(), Math.ceil(this.ms / STEPS));
  }

  /** Removes the deadline. Idempotent. */
  met(item: T): void {
    this.#ends.delete(item);
  }

  #sweep(): void {
    const now = Date.now();
    for (const [item, at] of this.#ends) {
      if (at > now) break;
      this.#ends.delete(item);
      this.expire(item);
    }
    if (this.#ends.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}

const STEPS = 40;
