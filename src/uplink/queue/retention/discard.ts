/**
 * Discards waiting deliveries, oldest first, and returns their exact number. In ordered webhooks it promotes the
 * successors, which would otherwise wait until their long delay is over.
 */
import { lastAgain } from "../attempt-log.ts";
import { timeOfId } from "../delivery-filter.ts";
import type { DeliveryQueue } from "../delivery-queue.ts";
import { successorsOf } from "../job.ts";

/** Jobs removed or read in one round trip to Redis. */
const AT_ONCE = 20;

/** Discards at most `count` deliveries that wait for the first or another attempt. @returns the number discarded */
export async function discardOldest(queue: DeliveryQueue, count: number, isOrdered: boolean): Promise<number> {
  const [waiting, delayed] = await Promise.all([queue.nextWaiting(count), queue.ids("delayed")]);
  const byAge = [...waiting.map((id) => ({ id, delayed: false })), ...delayed.map((id) => ({ id, delayed: true }))]
    .sort((a, b) => ageOrder(a.id, b.id))
    .slice(0, count);
  const fromWaiting = byAge.filter((each) => !each.delayed).length;
  const oldDelayed = byAge.filter((each) => each.delayed).map(({ id }) => id);
  const left = isOrdered ? await remainingSuccessors(queue, new Set(byAge.map(({ id }) => id))) : [];
  const cleaned = fromWaiting > 0 ? await queue.removeWaiting(fromWaiting) : 0;
  const removed = await removeDelayed(queue, oldDelayed);
  await promoteAll(queue, left);
  return cleaned + removed;
}

/**
 * Discards deliveries received before the given time and not redelivered since, at most `count` waiting and `count`
 * delayed ones.
 * @returns the number discarded
 */
export async function discardTooOld(
  queue: DeliveryQueue,
  before: number,
  count: number,
  isOrdered: boolean,
): Promise<number> {
  const isOld = (id: string) => (timeOfId(id) ?? Number.POSITIVE_INFINITY) < before;
  const old = async (ids: string[]) => {
    const candidates = ids.filter(isOld).slice(0, count);
    const again = await Promise.all(candidates.map((id) => lastAgain(queue, id)));
    return candidates.filter((_, i) => (again[i] ?? 0) < before);
  };
  const waiting = await old(await queue.nextWaiting(count));
  const delayed = await old(await queue.ids("delayed"));
  const left = isOrdered ? await remainingSuccessors(queue, new Set([...waiting, ...delayed])) : [];
  let removed = 0;
  for (const id of waiting) if (await queue.remove(id)) removed++;
  removed += await removeDelayed(queue, delayed);
  await promoteAll(queue, left);
  return removed;
}

/** Successors of the discarded deliveries that are not discarded themselves. */
async function remainingSuccessors(queue: DeliveryQueue, going: ReadonlySet<string>): Promise<string[]> {
  const ids = [...going];
  const left = new Set<string>();
  for (let i = 0; i < ids.length; i += AT_ONCE) {
    // A few at a time, since each job comes with its payload.
    const jobs = await Promise.all(ids.slice(i, i + AT_ONCE).map((id) => queue.get(id)));
    for (const id of jobs.flatMap((job) => (job ? successorsOf(job) : []))) if (!going.has(id)) left.add(id);
  }
  return [...left];
}

/** Promotes deliveries; each of them checks its predecessor itself. */
async function promoteAll(queue: DeliveryQueue, ids: string[]): Promise<void> {
  for (const id of ids) await queue.promote(id);
}

async function removeDelayed(queue: DeliveryQueue, ids: string[]): Promise<number> {
  let removed = 0;
  for (let i = 0; i < ids.length; i += AT_ONCE) {
    const gone = await Promise.all(ids.slice(i, i + AT_ONCE).map((id) => queue.removeDelayed(id)));
    removed += gone.filter(Boolean).length;
  }
  return removed;
}

/** Oldest first; ids without a time come last. */
function ageOrder(a: string, b: string): number {
  return (timeOfId(a) ?? Number.POSITIVE_INFINITY) - (timeOfId(b) ?? Number.POSITIVE_INFINITY) || (a < b ? -1 : 1);
}
