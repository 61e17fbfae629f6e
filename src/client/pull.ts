/** Consumers of pull webhooks: one delivery after the other, without an end. */
import { CausewayConnectionError, isCausewayError } from "./errors.ts";
import { isTransient, waitMs } from "./retry.ts";
import { sleep } from "./time-limit.ts";
import { randomKey } from "./transport.ts";
import type { CloudEvent, PulledDelivery } from "./types.ts";
import type { Webhooks } from "./webhooks.ts";

export interface PullOptions {
  /** Largest number of deliveries taken at once, up to 500. Default: 10. */
  max?: number;
  /** Time in which each delivery must be acknowledged, from 1 to 3,600. Default: 60. */
  leaseSeconds?: number;
  /** Ends the loop. Deliveries that were taken and not yielded are returned. */
  signal?: AbortSignal | undefined;
  /** Called when a pull has failed and is about to be repeated. */
  onRetry?: ((cause: unknown) => void) | undefined;
}

/** A delivery with its event, to be acknowledged or returned. */
export interface Pulled {
  messageId: string;
  /** 1 for the first attempt. */
  attempt: number;
  leaseToken: string;
  event: CloudEvent;
  /** @returns false when the lease had run out: the delivery comes again */
  ack(): Promise<boolean>;
  /** Returns the delivery, to be taken again after a delay, by default at once. */
  nack(delaySeconds?: number): Promise<boolean>;
}

/** A call of the bridge waits this long for a delivery. */
const WAIT_SECONDS = 20;
const MAX_WAIT_MS = 30_000;

/**
 * Yields deliveries until the caller leaves the loop or aborts. Deliveries taken and not yielded are then returned.
 * A pull that fails is repeated, unless the bridge refuses it for good.
 */
export async function* pull(
  webhooks: Webhooks,
  id: string,
  { max, leaseSeconds, signal, onRetry }: PullOptions = {},
): AsyncGenerator<Pulled, void, undefined> {
  // A repetition with the same key gets the deliveries of a response that was lost on its way.
  let key = randomKey();
  let isRenewed = false;
  for (let failures = 0; !signal?.aborted; ) {
    let items: PulledDelivery[];
    try {
      const input = { max, leaseSeconds, waitSeconds: WAIT_SECONDS };
      items = await webhooks.pull(id, input, { signal, idempotencyKey: key });
    } catch (error) {
      if (signal?.aborted) return;
      if (isCausewayError(error, "conflict") && !isRenewed) {
        // The leases of the lost response have run out. If a new key fails too, it is another conflict.
        key = randomKey();
        isRenewed = true;
        continue;
      }
      if (!isTransient(error) && !(error instanceof CausewayConnectionError)) throw error;
      // The bridge does not know yet that the connection of the first call broke: it responds soon.
      const isRunning = isCausewayError(error, "idempotency_in_progress");
      if (!isRunning) onRetry?.(error);
      await sleep(waitMs(error, isRunning ? 1 : ++failures, MAX_WAIT_MS), signal).catch(() => undefined);
      continue;
    }
    [key, isRenewed, failures] = [randomKey(), false, 0];
    let yielded = 0;
    try {
      for (const item of items) {
        if (signal?.aborted) return;
        yielded++;
        yield {
          ...item,
          ack: async () => (await webhooks.ack(id, [item])).acked === 1,
          nack: async (delaySeconds) => (await webhooks.nack(id, [item], delaySeconds)).nacked === 1,
        };
      }
    } finally {
      const left = items.slice(yielded);
      // Otherwise their leases would have to run out. In reverse, since each goes to the head of the queue.
      if (left.length > 0) await webhooks.nack(id, left.reverse()).catch(() => undefined);
    }
  }
}
