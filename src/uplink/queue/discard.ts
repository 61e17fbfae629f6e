/**
 * Drops deliveries that wait, the oldest first, and says exactly how many. Where the order counts it wakes those that
 * stood behind them: nobody else would before their long delay is over.
 */
import { setImmediate } from "node:timers/promises";
import { Job, type Queue } from "bullmq";
import { lastAgain } from "./attempt-log.ts";
import { timeOfId } from "./delivery-filter.ts";
import { type DeliveryJob, successorsOf } from "./job.ts";

/** What is about to be dropped is put off so far first: then no worker can take it up. */
const HOLD_MS = 3_600_000;
/** Removed or read with one round trip to Redis. */
const AT_ONCE = 20;

/** At most `count` of those that wait, whether for the first attempt or for another one. @returns how many went */
export async function discardOldest(queue: Queue<DeliveryJob>, count: number, isOrdered: boolean): Promise<number> {
  const [waiting, delayed] = await Promise.all([lastInGroup(queue, count), queue.getRanges(["delayed"], 0, -1)]);
  const byAge = [...waiting.map((id) => ({ id, delayed: false })), ...delayed.map((id) => ({ id, delayed: true }))]
    .sort((a, b) => ageOrder(a.id, b.id))
    .slice(0, count);
  const fromGroup = byAge.filter((each) => !each.delayed).length;
  const oldDelayed = byAge.filter((each) => each.delayed).map(({ id }) => id);
  const left = isOrdered ? await remainingSuccessors(queue, new Set(byAge.map(({ id }) => id))) : [];
  // From the end of the line that is served first, in one step of the store.
  const cleaned = fromGroup > 0 ? await queue.clean(0, fromGroup, "wait") : [];
  const removed = await removeDelayed(queue, oldDelayed);
  await wake(queue, left);
  return cleaned.length + removed;
}

/**
 * At most `count` of those received before the time, and not made again by a person since then.
 * @returns how many went
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
  const waiting = await old(await lastInGroup(queue, count));
  const delayed = await old(await queue.getRanges(["delayed"], 0, -1));
  const left = isOrdered ? await remainingSuccessors(queue, new Set([...waiting, ...delayed])) : [];
  let removed = 0;
  for (const id of waiting) removed += await remove(queue, id);
  removed += await removeDelayed(queue, delayed);
  await wake(queue, left);
  return removed;
}

/** Those that would be taken up next. The ascending order of BullMQ's PostgreSQL backend begins at the other end. */
async function lastInGroup(queue: Queue<DeliveryJob>, count: number): Promise<string[]> {
  const { waiting = 0 } = await queue.getJobCounts("waiting");
  return waiting === 0 ? [] : queue.getRanges(["waiting"], Math.max(0, waiting - count), waiting - 1);
}

/** Those that stand behind the ones that go, and stay. */
async function remainingSuccessors(queue: Queue<DeliveryJob>, going: ReadonlySet<string>): Promise<string[]> {
  const ids = [...going];
  const left = new Set<string>();
  for (let i = 0; i < ids.length; i += AT_ONCE) {
    // Few at a time: their payloads come along.
    const jobs = await Promise.all(ids.slice(i, i + AT_ONCE).map((id) => queue.getJob(id)));
    for (const id of jobs.flatMap((job) => (job ? successorsOf(job) : []))) if (!going.has(id)) left.add(id);
    await setImmediate();
  }
  return [...left];
}

/** Whoever was woken looks itself whether it is its turn. */
async function wake(queue: Queue<DeliveryJob>, ids: string[]): Promise<void> {
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
    // The embedded store works in this thread: let other things come in.
    await setImmediate();
  }
  return removed;
}

/** 0 when it is being sent. */
function remove(queue: Queue<DeliveryJob>, id: string): Promise<number> {
  return queue.remove(id);
}

/** A job that was not loaded: its payload is of no interest here. */
function jobOf(queue: Queue<DeliveryJob>, id: string): Job {
  return new Job(queue, "message", undefined, {}, id);
}

/** BullMQ's refusals carry a number: it is no longer delayed. */
function ifGone(error: unknown): false {
  if (typeof (error as { code?: unknown }).code === "number") return false;
  throw error;
}

/** Ids that do not tell their time come last. */
function ageOrder(a: string, b: string): number {
  return (timeOfId(a) ?? Number.POSITIVE_INFINITY) - (timeOfId(b) ?? Number.POSITIVE_INFINITY) || (a < b ? -1 : 1);
}
