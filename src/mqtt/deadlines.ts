/** Many deadlines of one length, watched by one timer: a timer for each would cost more than what it guards. */
export interface Deadline {
  /** The deadline no longer matters. */
  met(): void;
}

interface Entry extends Deadline {
  at: number;
  /** Absent once met, so that what it holds is free long before the time is up. */
  expire: (() => void) | undefined;
}

const STEPS = 40;

export class Deadlines {
  /** In the order of their ends, since all are equally long. */
  #entries: Entry[] = [];
  #timer: NodeJS.Timeout | undefined;

  /** @param ms their length; they end up to a fortieth of it late */
  constructor(private readonly ms: number) {}

  start(expire: () => void): Deadline {
    const entry: Entry = {
      at: Date.now() + this.ms,
      expire,
      met: () => {
        entry.expire = undefined;
      },
    };
    this.#entries.push(entry);
    this.#timer ??= setInterval(() => this.#sweep(), Math.ceil(this.ms / STEPS));
    return entry;
  }

  #sweep(): void {
    const now = Date.now();
    let over = 0;
    for (const { at, expire } of this.#entries) {
      if (expire && at > now) break;
      over++;
      expire?.();
    }
    this.#entries.splice(0, over);
    if (this.#entries.length > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }
}
