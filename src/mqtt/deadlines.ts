/** Many deadlines of one length, watched by one timer: a timer for each would cost more than what it guards. */
export interface Deadline {
  /** The deadline no longer matters. */
  met(): void;
}

interface Entry extends Deadline {
  at: number;
  expire(): void;
}

const STEPS = 40;

export class Deadlines {
  /**
   * In the order of their ends, since all are equally long. What is met leaves at once: kept to its end it would
   * outlive the young generation, and cost more to collect than to watch.
   */
  readonly #entries = new Set<Entry>();
  #timer: NodeJS.Timeout | undefined;

  /** @param ms their length; they end up to a fortieth of it late */
  constructor(private readonly ms: number) {}

  start(expire: () => void): Deadline {
    const entry: Entry = { at: Date.now() + this.ms, expire, met: () => this.#entries.delete(entry) };
    this.#entries.add(entry);
    this.#timer ??= setInterval(() => this.#sweep(), Math.ceil(this.ms / STEPS));
    return entry;
  }

  #sweep(): void {
    const now = Date.now();
    for (const entry of this.#entries) {
      if (entry.at > now) break;
      this.#entries.delete(entry);
      entry.expire();
    }
    if (this.#entries.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
