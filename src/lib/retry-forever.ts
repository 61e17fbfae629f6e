/** Retries an operation until it succeeds, however long that takes. */
import { setTimeout as delay } from "node:timers/promises";
import { backoffMs } from "./backoff.ts";

/** Result of an attempt that has not failed, and must be repeated all the same. */
export const AGAIN = Symbol("again");

export interface RetryForeverOptions {
  /** Pauses between the attempts, see {@link backoffMs}. */
  backoff: { firstMs: number; maxMs: number };
  /** Ends the retries. An attempt in progress still counts if it succeeds. */
  signal?: AbortSignal | undefined;
  /** Called for each failure. If it throws, the retries end with its error. */
  onError?(error: unknown): void;
}

/** Rejects only when `signal` aborts, or with the error that `onError` throws. */
export async function retryForever<T>(
  operation: () => Promise<T | typeof AGAIN>,
  { backoff, signal, onError }: RetryForeverOptions,
): Promise<T> {
  for (let attempts = 1; ; attempts++) {
    signal?.throwIfAborted();
    try {
      const result = await operation();
      if (result !== AGAIN) return result;
    } catch (error) {
      onError?.(error);
    }
    await delay(backoffMs(attempts, backoff.firstMs, backoff.maxMs), undefined, { signal });
  }
}
