/** What became of the messages of a webhook, as the API shows it: read from its queue. */
import type { Job, JobType, Queue } from "bullmq";
import { Problem } from "../errors.ts";
import type { Attempt, DeliveryJob, Filtered } from "./delivery.ts";

export type DeliveryStatus = "pending" | "active" | "retrying" | "succeeded" | "failed";

export interface Delivery {
  messageId: string;
  webhookId: string;
  topic: string;
  status: DeliveryStatus;
  /** Attempts that used up the schedule. */
  attempts: number;
  receivedAt: string;
  nextAttemptAt: string | null;
  finishedAt: string | null;
  lastAttempt: Attempt | null;
}

export type DeliveryCounts = Record<DeliveryStatus | "discarded", number>;

/** BullMQ's states. A paused webhook has no worker; its queue is never paused, so that its jobs count alike on both backends. */
const STATES: Record<DeliveryStatus, JobType[]> = {
  active: ["active"],
  pending: ["waiting", "prioritized"],
  retrying: ["delayed"],
  failed: ["failed"],
  succeeded: ["completed"],
};
const STATUSES = Object.keys(STATES) as DeliveryStatus[];

export async function countDeliveries(queue: Queue): Promise<DeliveryCounts> {
  const counts = await queue.getJobCounts(...Object.values(STATES).flat());
  const sum = (status: DeliveryStatus) => STATES[status].reduce((total, state) => total + (counts[state] ?? 0), 0);
  const byStatus = STATUSES.map((status) => [status, sum(status)]);
  return { ...Object.fromEntries(byStatus), discarded: 0 } as DeliveryCounts;
}

export interface DeliveryPage {
  items: Delivery[];
  nextCursor: string | null;
}

/** Where the next page begins: in the states after `state`, or `offset` jobs into it. */
interface Cursor {
  state: number;
  offset: number;
}

/**
 * One page, status by status in the order active, pending, retrying, failed, succeeded; the newest first in each. The
 * queue moves while it is read: a delivery may then stand on two pages or on none.
 */
export async function listDeliveries(
  queue: Queue<DeliveryJob>,
  webhookId: string,
  page: { status?: DeliveryStatus; after?: string; limit: number },
): Promise<DeliveryPage> {
  const wanted = page.status ? [page.status] : STATUSES;
  const states = wanted.flatMap((status) => STATES[status].map((state) => ({ status, state })));
  const items: Delivery[] = [];
  let { state: index, offset } = decodeCursor(page.after);
  while (index < states.length && items.length < page.limit) {
    const { status, state } = states[index]!;
    const room = page.limit - items.length;
    const jobs = await queue.getJobs([state], offset, offset + room - 1, false);
    items.push(...jobs.filter((job) => job).map((job) => toDelivery(job, webhookId, status)));
    if (jobs.length < room) {
      index++;
      offset = 0;
    } else offset += jobs.length;
  }
  return { items, nextCursor: index < states.length ? encodeCursor({ state: index, offset }) : null };
}

function toDelivery(job: Job<DeliveryJob>, webhookId: string, status: DeliveryStatus): Delivery {
  const { timestamp, delay, attemptsMade, finishedOn } = job;
  const last = lastAttempt(job);
  // The delay counts from the end of the attempt that failed.
  const since = last ? Date.parse(last.at) + last.durationMs : timestamp;
  const nextAttemptAt = status === "pending" ? timestamp : status === "retrying" ? since + (delay ?? 0) : undefined;
  return {
    messageId: job.id!,
    webhookId,
    topic: job.data.topic,
    status,
    attempts: isFiltered(job.returnvalue) ? 0 : attemptsMade,
    receivedAt: new Date(job.data.receivedAt).toISOString(),
    nextAttemptAt: time(nextAttemptAt),
    finishedAt: status === "succeeded" || status === "failed" ? time(finishedOn) : null,
    lastAttempt: last,
  };
}

function lastAttempt(job: Job<DeliveryJob>): Attempt | null {
  const succeeded = job.returnvalue as Attempt | Filtered | null | undefined;
  if (succeeded) return isFiltered(succeeded) ? null : succeeded;
  const failures = job.stacktrace ?? [];
  const last = failures.at(-1) ?? job.failedReason;
  return last ? parseAttempt(last) : null;
}

function isFiltered(value: Attempt | Filtered | null | undefined): value is Filtered {
  return value != null && "filtered" in value;
}

function parseAttempt(text: string): Attempt | null {
  try {
    return JSON.parse(text) as Attempt;
  } catch {
    // A failure outside the call itself, e.g. a stalled job: there is no attempt to show.
    return null;
  }
}

function time(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}

function encodeCursor({ state, offset }: Cursor): string {
  return Buffer.from(`${state}.${offset}`).toString("base64url");
}

function decodeCursor(cursor: string | undefined): Cursor {
  if (cursor === undefined) return { state: 0, offset: 0 };
  const found = /^(\d{1,2})\.(\d{1,12})$/.exec(Buffer.from(cursor, "base64url").toString());
  if (!found) {
    const message = "is not a cursor of this list";
    throw new Problem("invalid_request", `query.after: ${message}`, { errors: [{ path: "query.after", message }] });
  }
  return { state: Number(found[1]), offset: Number(found[2]) };
}
