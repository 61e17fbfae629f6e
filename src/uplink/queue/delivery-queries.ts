/** Deliveries of a webhook as the API returns them, read from the webhook's queue. */
import { decodeCursor, encodeCursor } from "../../lib/cursor.ts";
import { type LoggedAttempt, lastInJob, readAttempts, toLogged, withoutBody } from "./attempt-log.ts";
import { type DeliveryFilter, type FilterInput, InvalidField, mayMatch, readFilter } from "./delivery-filter.ts";
import type { DeliveryQueue, JobState } from "./delivery-queue.ts";
import type { AttemptEntry, DeliveryJob, QueuedJob } from "./job.ts";

export type DeliveryStatus = "pending" | "active" | "retrying" | "succeeded" | "failed";

export interface Delivery {
  messageId: string;
  webhookId: string;
  topic: string;
  status: DeliveryStatus;
  /** Attempts that count towards the schedule. */
  attempts: number;
  receivedAt: string;
  nextAttemptAt: string | null;
  finishedAt: string | null;
  lastAttempt: AttemptEntry | null;
  /** CloudEvents `type`. */
  type: string;
  /** The webhook's filter excluded the message: nothing was sent. */
  filtered?: true;
}

export interface DeliveryDetail extends Delivery {
  message: Omit<DeliveryJob, "receivedAt" | "type">;
  attemptLog: LoggedAttempt[];
}

export type DeliveryCounts = Record<DeliveryStatus | "discarded", number>;

const STATES: Record<DeliveryStatus, JobState[]> = {
  active: ["active"],
  pending: ["waiting", "prioritized"],
  retrying: ["delayed"],
  failed: ["failed"],
  succeeded: ["completed"],
};
const STATUSES = Object.keys(STATES) as DeliveryStatus[];

/** @param discarded number of deliveries discarded since the registration */
export async function countDeliveries(queue: DeliveryQueue, discarded: number): Promise<DeliveryCounts> {
  const counts = await queue.counts();
  const sum = (status: DeliveryStatus) => STATES[status].reduce((total, state) => total + counts[state], 0);
  const byStatus = STATUSES.map((status) => [status, sum(status)]);
  return { ...Object.fromEntries(byStatus), discarded } as DeliveryCounts;
}

export interface DeliveryPage {
  items: Delivery[];
  nextCursor: string | null;
}

/** Start of the next page: `offset` jobs into the state with the index `state`. */
interface Cursor {
  state: number;
  offset: number;
}

export interface DeliveryQuery extends FilterInput {
  status?: DeliveryStatus;
  after?: string;
  limit: number;
}

/** Most ids examined for one page, however few of them match. */
const MAX_EXAMINED = 2_000;
/** Jobs loaded at once: each may hold a payload of the maximum size. */
const LOAD = 50;
/** Tolerance: an id is created just before the message gets its time of receipt. */
const ID_SLACK_MS = 1_000;

/**
 * Returns one page, by status in the order active, pending, retrying, failed, succeeded, and newest first within each.
 * A page may be short or empty although more follow. The queue changes during the read, so a delivery may be on two
 * pages or on none.
 */
export async function listDeliveries(
  queue: DeliveryQueue,
  webhookId: string,
  query: DeliveryQuery,
): Promise<DeliveryPage | InvalidField> {
  const filter = readFilter(query);
  if (filter instanceof InvalidField) return filter;
  const cursor = startOf(query.after);
  if (!cursor) return new InvalidField("after", "is not a cursor of this list");
  const wanted = query.status ? [query.status] : STATUSES;
  const states = wanted.flatMap((status) => STATES[status].map((state) => ({ status, state })));
  const items: Delivery[] = [];
  let { state: index, offset } = cursor;
  let examined = 0;
  while (index < states.length && items.length < query.limit && examined < MAX_EXAMINED) {
    const { status, state } = states[index]!;
    const room = query.limit - items.length;
    const count = isNarrow(filter) ? MAX_EXAMINED - examined : room;
    const ids = await queue.ids(state, offset, count);
    const { found, passed } = await take(queue, ids, filter, room);
    items.push(...(await Promise.all(found.map((job) => toDelivery(queue, job, webhookId, status)))));
    examined += passed;
    if (passed === ids.length && ids.length < count) {
      index++;
      offset = 0;
    } else offset += passed;
  }
  return { items, nextCursor: index < states.length ? encodeCursor(`${index}.${offset}`) : null };
}

function isNarrow({ since, until, topic }: DeliveryFilter): boolean {
  return topic !== undefined || Number.isFinite(since) || Number.isFinite(until);
}

/** Returns the first `room` jobs that match and the number of ids examined. A job removed meanwhile does not match. */
async function take(queue: DeliveryQueue, ids: string[], filter: DeliveryFilter, room: number) {
  const { since, until, topic } = filter;
  const loose = { since: since - ID_SLACK_MS, until: until + ID_SLACK_MS };
  const found: QueuedJob[] = [];
  let passed = 0;
  while (passed < ids.length && found.length < room) {
    const chunk: string[] = [];
    for (; passed < ids.length && chunk.length < Math.min(LOAD, room - found.length); passed++) {
      if (mayMatch(ids[passed]!, loose)) chunk.push(ids[passed]!);
    }
    for (const job of await Promise.all(chunk.map((id) => queue.get(id)))) {
      const { receivedAt, topic: name } = job?.data ?? {};
      if (receivedAt === undefined || receivedAt < since || receivedAt >= until) continue;
      if (!topic || topic(name!)) found.push(job!);
    }
  }
  return { found, passed };
}

export async function getDelivery(
  queue: DeliveryQueue,
  webhookId: string,
  messageId: string,
): Promise<DeliveryDetail | "not_found"> {
  const job = await queue.get(messageId);
  if (!job) return "not_found";
  const [state, attempts] = await Promise.all([queue.stateOf(messageId), readAttempts(queue, job)]);
  const status = STATUSES.find((each) => STATES[each].some((one) => one === state));
  if (!status) return "not_found";
  const { receivedAt: _receivedAt, type: _type, ...message } = job.data;
  return { ...(await toDelivery(queue, job, webhookId, status)), message, attemptLog: attempts.map(toLogged) };
}

export async function toDelivery(
  queue: DeliveryQueue,
  job: QueuedJob,
  webhookId: string,
  status: DeliveryStatus,
): Promise<Delivery> {
  const { timestamp, delay, attemptsMade, finishedOn } = job;
  // A job that was started but holds no attempt itself has its attempts in the log.
  const last = lastInJob(job) ?? (job.attemptsStarted > 0 ? (await readAttempts(queue, job)).at(-1) : undefined);
  // The delay counts from the end of the failed attempt.
  const since = last ? Date.parse(last.at) + last.durationMs : timestamp;
  // Postponed: the job runs when its predecessor ends, whatever its own delay.
  const isPostponed = status === "retrying" && !last && job.data.place?.previous !== undefined;
  const due = status === "pending" ? timestamp : status === "retrying" ? since + (delay ?? 0) : undefined;
  const nextAttemptAt = isPostponed ? undefined : due;
  const filtered = (job.returnvalue as { filtered?: unknown } | null | undefined)?.filtered === true;
  return {
    messageId: job.id!,
    webhookId,
    topic: job.data.topic,
    type: job.data.type ?? "mqtt.message",
    ...(filtered && { filtered }),
    status,
    attempts: filtered ? 0 : attemptsMade,
    receivedAt: new Date(job.data.receivedAt).toISOString(),
    nextAttemptAt: time(nextAttemptAt),
    finishedAt: status === "succeeded" || status === "failed" ? time(finishedOn) : null,
    lastAttempt: last ? withoutBody(last) : null,
  };
}

function time(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

function startOf(cursor: string | undefined): Cursor | undefined {
  if (cursor === undefined) return { state: 0, offset: 0 };
  const found = /^(\d{1,2})\.(\d{1,12})$/.exec(decodeCursor(cursor) ?? "");
  return found ? { state: Number(found[1]), offset: Number(found[2]) } : undefined;
}
