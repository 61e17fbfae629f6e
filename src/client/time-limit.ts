/** A time limit and a caller's signal, joined into one signal. */
import { CausewayTimeoutError } from "./errors.ts";

/**
 * Aborts when the time is up or the caller's signal aborts. Removes its listener in {@link end}: `AbortSignal.any`
 * would add one listener for each call to a signal that may live as long as the program.
 */
export class TimeLimit {
  readonly #controller = new AbortController();
  readonly #onAbort = () => this.#controller.abort(this.#caller?.reason);
  readonly #caller: AbortSignal | undefined;
  readonly #ms: number;
  readonly #message: string;
  #timer: ReturnType<typeof setTimeout> | undefined;
  #endsAt = 0;

  /** @param message of the error when the time is up */
  constructor(caller: AbortSignal | undefined, ms: number, message: string) {
    this.#caller = caller;
    this.#ms = ms;
    this.#message = message;
    if (caller?.aborted) this.#onAbort();
    else caller?.addEventListener("abort", this.#onAbort);
    this.restart();
  }

  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  get remainingMs(): number {
    return this.#endsAt - Date.now();
  }

  /** Starts the whole time again. */
  restart(): void {
    this.pause();
    this.#endsAt = Date.now() + this.#ms;
    if (this.#ms === Number.POSITIVE_INFINITY) return;
    const late = () => this.#controller.abort(new CausewayTimeoutError(this.#message));
    this.#timer = setTimeout(late, this.#ms);
  }

  /** Stops the clock until {@link restart}. */
  pause(): void {
    clearTimeout(this.#timer);
  }

  /** Aborts whatever still uses the signal. */
  abort(reason?: unknown): void {
    this.#controller.abort(reason);
  }

  /** Stops the timer and lets go of the caller's signal. */
  end(): void {
    this.pause();
    this.#caller?.removeEventListener("abort", this.#onAbort);
  }
}

/** Resolves after `ms`; rejects with the reason of the signal when it aborts. */
export function sleep(ms: number, signal: AbortSignal | undefined): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason);
    const onAbort = () => {
      clearTimeout(timer);
      reject(signal?.reason);
    };
    const timer = setTimeout(() => {
      signal?.removeEventListener("abort", onAbort);
      resolve();
    }, ms);
    signal?.addEventListener("abort", onAbort, { once: true });
  });
}
