/** Ends what was opened, the last opened first. */
import type { Log } from "../ops/observe.ts";
import { reasonOf } from "../security/redaction.ts";

interface Part {
  part: string;
  close(): Promise<unknown>;
  /** Milliseconds after which the next part is ended all the same. */
  ms: number;
}

export class Closing {
  readonly #parts: Part[] = [];
  #all: Promise<void> | undefined;

  constructor(
    private readonly log: Log,
    private readonly defaultMs: number,
  ) {}

  /** What is open, the first opened first. */
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

  /** One that fails or hangs must not keep the others open. */
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
