/** Rates from the last few reads of the books. Pure. */
import type { MetricsPoint } from "causeway-mqtt/client";
import type { Books } from "./status.ts";

export interface Sample {
  /** Milliseconds since the epoch. */
  at: number;
  received: number;
  delivered: number;
  failed: number;
}

/** Per second. */
export type Rates = Omit<Sample, "at">;

/** Samples to keep: twelve seconds at one every two seconds. */
const KEPT = 7;

export function sampleOf({ messages, deliveries }: Books, at: number): Sample {
  return { at, received: messages.received, delivered: deliveries.succeeded, failed: deliveries.failed };
}

/** Appends a sample; begins anew if a total is smaller than before, as in another store. */
export function withSample(samples: readonly Sample[], next: Sample): Sample[] {
  const last = samples.at(-1);
  if (last && next.at <= last.at) return [...samples];
  // Failed deliveries that are retried count as waiting again, so only totals that never fall are compared.
  if (last && next.received < last.received) return [next];
  return [...samples, next].slice(-KEPT);
}

/** Undefined before the second sample. */
export function ratesOf(samples: readonly Sample[]): Rates | undefined {
  const [first, last] = [samples[0], samples.at(-1)];
  if (!first || !last || last.at === first.at) return undefined;
  const seconds = (last.at - first.at) / 1_000;
  const rate = (name: keyof Rates) => Math.max(0, last[name] - first[name]) / seconds;
  return { received: rate("received"), delivered: rate("delivered"), failed: rate("failed") };
}

export interface MinuteRates extends Rates {
  retried: number;
  /** Whether the key may know the messages, not only the deliveries. */
  hasReceived: boolean;
}

/** Rates of the last complete minute, per second. @param points of steps of a minute, the last one incomplete */
export function minuteRates(points: readonly MetricsPoint[]): MinuteRates | undefined {
  const point = points.at(-2);
  if (!point) return undefined;
  const { received, enqueued, succeeded, failed, retried } = point;
  return {
    received: (received ?? enqueued) / 60,
    delivered: succeeded / 60,
    failed: failed / 60,
    retried: retried / 60,
    hasReceived: received !== undefined,
  };
}
