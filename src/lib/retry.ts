/** Repeats work until it succeeds. */
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "./backoff.ts";

export interface RetryOptions {
  /** Pause after the first failure; it doubles at each further one. */
  firstMs: number;
  maxMs: number;
  onError?(error: unknown): void;
  /** Ends the loop before the next attempt. */
  isStopped?(): boolean;
  /** Ends a pause, too; the call then rejects with the signal's AbortError. */
  signal?: AbortSignal | undefined;
}

/**
 * Calls `work` until it resolves, with exponential back-off and without a limit.
 * @returns its result; undefined if stopped before that
 */
export async function retryForever<T>(
  work: () => Promise<T>,
  { firstMs, maxMs, onError, isStopped = () => false, signal }: RetryOptions,
): Promise<T | undefined> {
  for (let failures = 1; !isStopped(); failures++) {
    try {
      return await work();
    } catch (error) {
      onError?.(error);
    }
    // The process may end while only pauses remain.
    await delay(backoffMs(failures, firstMs, maxMs), undefined, { ref: false, signal });
  }
  return undefined;
}
