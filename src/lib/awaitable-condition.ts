/** Waiting for a condition that others bring about. */
export class AwaitableCondition {
  readonly #waiting = new Set<() => void>();

  constructor(private readonly condition: () => boolean) {}

  /** Call whenever the condition may have come true. */
  check(): void {
    for (const look of this.#waiting) look();
  }

  /** Resolves true once it holds, and false after `timeoutMs`. */
  async within(timeoutMs: number): Promise<boolean> {
    if (this.condition()) return true;
    return new Promise((resolve) => {
      const finish = (holds: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(look);
        resolve(holds);
      };
      const look = () => {
        if (this.condition()) finish(true);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.#waiting.add(look);
    });
  }
}
