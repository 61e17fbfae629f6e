/**
 * Discards waiting deliveries, oldest first, and returns their exact number. In ordered webhooks it promotes the
 * successors, which would otherwise wait until their long delay is over.
 */
import { setImmediate } from "node:timers/promises";
import { Job, type Queue } from "bullmq";
import { lastAgain } from "./attempt-log.ts";
import { timeOfId } from "./delivery-filter.ts";
import { type DeliveryJob, successorsOf } from "./job.ts";

/** Delay given to a delayed job before its removal: no worker can then take it. */
const HOLD_MS = 3_600_000;
/** Jobs removed or read in one round trip to Redis. */
const AT_ONCE = 20;

/** Discards at most `count` deliveries that wait for the first or another attempt. @returns the number discarded */
export async function discardOldest(queue: Queue<DeliveryJob>, count: number, isOrdered: boolean): Promise<number> {
  const [waiting, delayed] = await Promise.all([newestWaiting(queue, count), queue.getRanges(["delayed"], 0, -1)]);
  const byAge = [...waiting.map((id) => ({ id, delayed: false })), ...delayed.map((id) => ({ id, delayed: true }))]
    .sort((a, b) => ageOrder(a.id, b.id))
    .slice(0, count);
  const fromWaiting = byAge.filter((each) => !each.delayed).length;
  const oldDelayed = byAge.filter((each) => each.delayed).map(({ id }) => id);
  const left = isOrdered ? await remainingSuccessors(queue, new Set(byAge.map(({ id }) => id))) : [];
  // From the end of the queue that is served first, in one step of the store.
  const cleaned = fromWaiting > 0 ? await queue.clean(0, fromWaiting, "wait") : [];
  const removed = await removeDelayed(queue, oldDelayed);
  await promoteAll(queue, left);
  return cleaned.length + removed;
}

/**
 * Discards deliveries received before the given time and not redelivered since, at most `count` waiting and `count`
 * delayed ones.
 * @returns the number discarded
 */
export async function discardTooOld(
  queue: Queue<DeliveryJob>,
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
  const waiting = await old(await newestWaiting(queue, count));
  const delayed = await old(await queue.getRanges(["delayed"], 0, -1));
  const left = isOrdered ? await remainingSuccessors(queue, new Set([...waiting, ...delayed])) : [];
  let removed = 0;
  for (const id of waiting) removed += await remove(queue, id);
  removed += await removeDelayed(queue, delayed);
  await promoteAll(queue, left);
  return removed;
}

/**
 * Ids of the next jobs to be processed, from the end of the range: in BullMQ's PostgreSQL backend, ascending order
 * begins at the other end.
 */
async function newestWaiting(queue: Queue<DeliveryJob>, count: number): Promise<string[]> {
  const { waiting = 0 } = await queue.getJobCounts("waiting");
  return waiting === 0 ? [] : queue.getRanges(["waiting"], Math.max(0, waiting - count), waiting - 1);
}

/** Successors of the discarded deliveries that are not discarded themselves. */
async function remainingSuccessors(queue: Queue<DeliveryJob>, going: ReadonlySet<string>): Promise<string[]> {
  const ids = [...going];
  const left = new Set<string>();
  for (let i = 0; i < ids.length; i += AT_ONCE) {
    // A few at a time, since each job comes with its payload.
    const jobs = await Promise.all(ids.slice(i, i + AT_ONCE).map((id) => queue.getJob(id)));
    for (const id of jobs.flatMap((job) => (job ? successorsOf(job) : []))) if (!going.has(id)) left.add(id);
    await setImmediate();
  }
  return [...left];
}

/** Promotes deliveries; each of them checks its predecessor itself. */
async function promoteAll(queue: Queue<DeliveryJob>, ids: string[]): Promise<void> {
  for (const id of ids) await jobOf(queue, id).promote().catch(ifGone);
}

async function removeDelayed(queue: Queue<DeliveryJob>, ids: string[]): Promise<number> {
  const removeOne = async (id: string) => {
    const held = await jobOf(queue, id)
      .changeDelay(HOLD_MS)
      .then(() => true, ifGone);
    return held ? remove(queue, id) : 0;
  };
  let removed = 0;
  for (let i = 0; i < ids.length; i += AT_ONCE) {
    const counts = await Promise.all(ids.slice(i, i + AT_ONCE).map(removeOne));
    for (const count of counts) removed += count;
    // The embedded store runs in this thread: let other tasks run.
    await setImmediate();
  }
  return removed;
}

/** @returns 0 when the job is active */
function remove(queue: Queue<DeliveryJob>, id: string): Promise<number> {
  return queue.remove(id);
}

/** Handle of a job without its data: the payload is not needed. */
function jobOf(queue: Queue<DeliveryJob>, id: string): Job {
  return new Job(queue, "message", undefined, {}, id);
}

/** Returns false for BullMQ's errors, which have a numeric code: the job is no longer delayed. */
function ifGone(error: unknown): false {
  if (typeof (error as { code?: unknown }).code === "number") return false;
  throw error;
}

/** Oldest first; ids without a time come last. */
function ageOrder(a: string, b: string): number {
  return (timeOfId(a) ?? Number.POSITIVE_INFINITY) - (timeOfId(b) ?? Number.POSITIVE_INFINITY) || (a < b ? -1 : 1);
}
