/** Merges the deliveries of many queues into one list, newest first. */

/** Place of a delivery in the list: by time of receipt, then message id, then queue, all descending. */
export interface ListPosition {
  /** Milliseconds since the epoch. */
  at: number;
  id: string;
  queue: string;
}

export type DeliveryState = "waiting" | "prioritized" | "active" | "delayed" | "completed" | "failed";

export interface FoundDelivery extends ListPosition {
  state: DeliveryState;
}

/** See the store's `DeliveryIndex`. */
export interface DeliveryIndex {
  newest(
    spans: readonly { queue: string; before: Place }[],
    filter: IndexFilter,
    count: number,
  ): Promise<{ entries: (Place & { state: DeliveryState })[]; next: Place | undefined }[]>;
}

export interface IndexFilter {
  since?: number;
  topic?: string;
  states?: readonly DeliveryState[];
}

interface Place {
  at: number;
  id: string;
}

export interface NewestQuery extends IndexFilter {
  queues: readonly string[];
  /** Exclusive. */
  until: number;
  /** Position after which the page begins. */
  after?: ListPosition;
  limit: number;
}

/** The part of a queue that is not on the page yet. */
interface Rest {
  queue: string;
  /** Read and not on the page. */
  entries: FoundDelivery[];
  /** Where to read on; undefined when all is read. */
  next: Place | undefined;
}

/** Entries read from each queue at first: most queues contribute few or none to a page. */
const HEADS = 3;
/** Reads for one page that find nothing, after which the page is returned short. */
const MAX_MISSES = 10;

/**
 * Returns one page and the position after which the next one begins; undefined at the end. The page is short if few of
 * very many deliveries match. Positions never change, so pages neither repeat nor omit a delivery.
 */
export async function newestFirst(
  index: DeliveryIndex,
  query: NewestQuery,
): Promise<{ found: FoundDelivery[]; next: ListPosition | undefined }> {
  const rests: Rest[] = query.queues.map((queue) => ({ queue, entries: [], next: startOf(queue, query) }));
  const found: FoundDelivery[] = [];
  let count = query.queues.length === 1 ? query.limit + 1 : HEADS;
  let misses = 0;
  // One more than the page: it tells whether another page follows.
  while (found.length <= query.limit && misses < MAX_MISSES) {
    const empty = rests.filter(({ entries, next }) => entries.length === 0 && next);
    if (empty.length > 0) {
      await readOn(index, empty, query, count);
      count = query.limit + 1;
      misses += empty.every(({ entries }) => entries.length === 0) ? 1 : 0;
      continue;
    }
    const newest = takeNewest(rests);
    if (!newest) return { found, next: undefined };
    found.push(newest);
  }
  if (found.length > query.limit) return { found: found.slice(0, query.limit), next: found[query.limit - 1] };
  return untilUnread(rests, found, query.limit);
}

function startOf(queue: string, { until, after }: NewestQuery): Place {
  const end = { at: Math.min(until, Number.MAX_SAFE_INTEGER), id: "" };
  if (!after || after.at >= end.at) return end;
  // A queue that is later in the order may hold the same message: a space follows the id, and precedes every longer id.
  return { at: after.at, id: queue < after.queue ? `${after.id} ` : after.id };
}

async function readOn(index: DeliveryIndex, rests: Rest[], query: NewestQuery, count: number): Promise<void> {
  const spans = rests.map(({ queue, next }) => ({ queue, before: next! }));
  const { since, topic, states } = query;
  const slices = await index.newest(spans, { since, topic, states }, count);
  for (const [i, rest] of rests.entries()) {
    const { entries, next } = slices[i]!;
    rest.entries = entries.map((entry) => ({ ...entry, queue: rest.queue }));
    rest.next = next;
  }
}

/** Takes the newest entry that was read. It is the newest of all while every queue that is not read out has an entry. */
function takeNewest(rests: Rest[]): FoundDelivery | undefined {
  let newest: Rest | undefined;
  for (const rest of rests) {
    if (rest.entries.length > 0 && (!newest || isNewer(rest.entries[0]!, newest.entries[0]!))) newest = rest;
  }
  return newest?.entries.shift();
}

/** Ends a page where the first unread part begins. */
function untilUnread(rests: Rest[], found: FoundDelivery[], limit: number) {
  const unread = rests.flatMap(({ queue, entries, next }) =>
    entries.length === 0 && next ? [{ ...next, queue }] : [],
  );
  const next = unread.reduce((first, each) => (isNewer(each, first) ? each : first));
  while (found.length < limit) {
    const newest = takeNewest(rests);
    if (!newest || isNewer(next, newest)) return { found, next };
    found.push(newest);
  }
  return { found, next: found.at(-1) };
}

function isNewer(a: ListPosition, b: ListPosition): boolean {
  if (a.at !== b.at) return a.at > b.at;
  return a.id === b.id ? a.queue > b.queue : a.id > b.id;
}
