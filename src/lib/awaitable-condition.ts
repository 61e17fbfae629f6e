/** A condition that callers can await with a timeout. */
export class AwaitableCondition {
  readonly #waiting = new Set<() => void>();

  constructor(private readonly condition: () => boolean) {}

  /** Evaluates the condition for all waiting callers; call it whenever the condition may have become true. */
  check(): void {
    for (const check of this.#waiting) check();
  }

  /** Resolves to true once the condition holds, or to false after `timeoutMs`. */
  async within(timeoutMs: number): Promise<boolean> {
    if (this.condition()) return true;
    return new Promise((resolve) => {
      const finish = (holds: boolean) => {
        clearTimeout(timer);
        this.#waiting.delete(check);
        resolve(holds);
      };
      const check = () => {
        if (this.condition()) finish(true);
      };
      const timer = setTimeout(() => finish(false), timeoutMs);
      this.#waiting.add(check);
    });
  }
}
