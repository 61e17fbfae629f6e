/** Pages of the store's delivery index, newest first. */
import type { JobState } from "../delivery-queue.ts";

/** Place of a delivery in a list: by time of receipt, then message id, then queue, all descending. */
export interface ListPosition {
  /** Milliseconds since the epoch. */
  at: number;
  id: string;
  queue: string;
}

export interface FoundDelivery extends ListPosition {
  state: JobState;
}

export interface ListFilter {
  queues: readonly string[];
  since?: number;
  topic?: string;
  states?: readonly JobState[];
}

/** See the store's `DeliveryIndex`. */
export interface ListIndex {
  newest(
    query: ListFilter & { before: ListPosition },
    count: number,
  ): Promise<{ entries: FoundDelivery[]; next: ListPosition | undefined }>;
}

export interface NewestQuery extends ListFilter {
  /** Exclusive. */
  until: number;
  /** Position after which the page begins. */
  after?: ListPosition;
  limit: number;
}

/** Time after which a page is returned short: each read of the index examines a bounded number of deliveries. */
const ENOUGH_MS = 25;

/**
 * Returns one page and the position after which the next one begins; undefined at the end. Positions never change, so
 * pages neither repeat nor omit a delivery.
 */
export async function newestFirst(
  index: ListIndex,
  { until, after, limit, ...query }: NewestQuery,
): Promise<{ found: FoundDelivery[]; next: ListPosition | undefined }> {
  const found: FoundDelivery[] = [];
  const top = { at: Math.min(until, Number.MAX_SAFE_INTEGER), id: "", queue: "" };
  let before = after && after.at < top.at ? after : top;
  for (const end = performance.now() + ENOUGH_MS; performance.now() < end; ) {
    // One more than the page: it tells whether another page follows.
    const { entries, next } = await index.newest({ ...query, before }, limit + 1 - found.length);
    found.push(...entries);
    if (found.length > limit) return { found: found.slice(0, limit), next: found[limit - 1] };
    if (!next) return { found, next: undefined };
    before = next;
  }
  return { found, next: before };
}
