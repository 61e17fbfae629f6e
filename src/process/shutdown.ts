/** Closes the opened components in reverse order of opening. */
import type { Log } from "../ops/observe.ts";
import { reasonOf } from "../security/redaction.ts";

interface Part {
  part: string;
  close(): Promise<unknown>;
  /** Timeout in milliseconds, after which the next component is closed regardless. */
  ms: number;
}

export class Closing {
  readonly #parts: Part[] = [];
  #all: Promise<void> | undefined;

  constructor(
    private readonly log: Log,
    private readonly defaultMs: number,
  ) {}

  /** Names of the components added, in order of opening. */
  get open(): string[] {
    return this.#parts.map(({ part }) => part).reverse();
  }

  get begun(): boolean {
    return this.#all !== undefined;
  }

  add(part: string, close: () => Promise<unknown>, ms = this.defaultMs): void {
    this.#parts.unshift({ part, close, ms });
  }

  /** Idempotent. */
  closeAll(): Promise<void> {
    this.#all ??= this.#closeAll();
    return this.#all;
  }

  /** A component that fails or hangs must not keep the others open. */
  async #closeAll(): Promise<void> {
    for (const { part, close, ms } of this.#parts) {
      let timer: NodeJS.Timeout | undefined;
      const late = new Promise((_, reject) => {
        timer = setTimeout(() => reject(new Error(`not closed within ${ms} ms`)), ms);
      });
      await Promise.race([close(), late])
        .catch((error: Error) => this.log.warn({ part, error: reasonOf(error) }, "close_failed"))
        .finally(() => clearTimeout(timer));
    }
  }
}
