/** Deliveries as the API returns them, read from the queue of their webhook. */
import { type LoggedAttempt, lastInJob, readAttempts, summary, toLogged } from "../attempt-log.ts";
import type { DeliveryQueue, JobState } from "../delivery-queue.ts";
import type { AttemptEntry, DeliveryJob, QueuedJob } from "../job.ts";

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

export const STATES: Record<DeliveryStatus, JobState[]> = {
  active: ["active"],
  pending: ["waiting", "prioritized"],
  retrying: ["delayed"],
  failed: ["failed"],
  succeeded: ["completed"],
};
export const STATUSES = Object.keys(STATES) as DeliveryStatus[];

export function statusOf(state: JobState): DeliveryStatus | undefined {
  return STATUSES.find((each) => STATES[each].some((one) => one === state));
}

/** @param discarded number of deliveries discarded since the registration */
export async function countDeliveries(queue: DeliveryQueue, discarded: number): Promise<DeliveryCounts> {
  const counts = await queue.counts();
  const sum = (status: DeliveryStatus) => STATES[status].reduce((total, state) => total + counts[state], 0);
  const byStatus = STATUSES.map((status) => [status, sum(status)]);
  return { ...Object.fromEntries(byStatus), discarded } as DeliveryCounts;
}

export async function getDelivery(
  queue: DeliveryQueue,
  webhookId: string,
  messageId: string,
): Promise<DeliveryDetail | "not_found"> {
  const found = await queue.getWithState(messageId);
  const status = found && statusOf(found.state);
  if (!status) return "not_found";
  const { job } = found;
  const attempts = await readAttempts(queue, job);
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
    lastAttempt: last ? summary(last) : null,
  };
}

function time(ms: number | undefined): string | null {
  return ms === undefined ? null : new Date(ms).toISOString();
}
