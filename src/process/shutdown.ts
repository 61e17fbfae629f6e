/** Starts the parts of a process in order, and stops those that are open in reverse order. */
import { withDeadline } from "../lib/deadline.ts";
import type { ObserverLog } from "../ops/observe.ts";
import { reasonOf } from "../security/redaction.ts";

/** Time limit of a shutdown, after which the process ends regardless: 9 s for deliveries in progress, the rest for all other parts. */
export const PROCESS_STOP_MS = 15_000;

export interface Part {
  name: string;
  /** Absent: the part is open already, or only its stop has a place in the order. */
  start?(): unknown;
  stop?(): unknown;
  /** Time limit of the stop in milliseconds, after which the next part is stopped regardless. Absent: it is immediate. */
  ms?: number;
}

export class Closing {
  readonly #open: Part[] = [];
  #all: Promise<void> | undefined;

  constructor(private readonly log: ObserverLog) {}

  /** Names of the open parts, in order of opening. */
  get open(): string[] {
    return this.#open.map(({ name }) => name).reverse();
  }

  /** Whether {@link closeAll} was called. */
  readonly isClosing = (): boolean => this.#all !== undefined;

  /** Adds a part that is open. */
  add(part: Part): void {
    if (part.stop) this.#open.unshift(part);
  }

  /** Starts the parts one after the other. A part whose start fails may be half open: it is stopped with the others. */
  async start(parts: readonly Part[]): Promise<void> {
    for (const part of parts) {
      this.add(part);
      await part.start?.();
    }
  }

  /** Idempotent. */
  closeAll(): Promise<void> {
    this.#all ??= this.#closeAll();
    return this.#all;
  }

  /** A part that fails or hangs must not keep the others open. */
  async #closeAll(): Promise<void> {
    for (const { name, stop, ms } of this.#open) {
      const late = () => new Error(`not closed within ${ms} ms`);
      try {
        const closed = Promise.resolve(stop?.());
        await (ms === undefined ? closed : withDeadline(closed, ms, late));
      } catch (error) {
        this.log.warn({ part: name, error: reasonOf(error) }, "close_failed");
      }
    }
  }
}
