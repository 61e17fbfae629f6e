/** Types of the delivery side: the data of a job and the record of an attempt. */
import type { Job } from "bullmq";
import { fromStored, type Message, type StoredMessage, toStored } from "../../message.ts";
import type { SentRequest } from "../attempt.ts";

/** Queue name of a webhook. Queue names must not contain `:`. */
export function queueName(webhookId: string): string {
  return `deliver-${webhookId}`;
}

/** The inverse of {@link queueName}. */
export function webhookOfQueue(name: string): string {
  return name.slice(queueName("").length);
}

/** Data of a job; the job's id is the message's. */
export interface DeliveryJob extends StoredMessage {
  /** CloudEvents `type` of an event that is not a device's message, e.g. `webhook.test`. */
  type?: string;
  /** Place in the message group; only in ordered webhooks. */
  place?: Place;
}

/** A message to deliver, or an event of the bridge itself. */
export interface DeliveredMessage extends Message {
  type?: string;
  place?: Place;
  /** Why the payload could not be decoded in the format of the webhook. Never stored: every attempt decodes again. */
  decodeError?: string;
}

/** A delivery in its queue. */
export type QueuedJob = Job<DeliveryJob>;

export function fromJob(job: QueuedJob): DeliveredMessage {
  return fromStored(job.id!, job.data);
}

/** The inverse of {@link fromJob}. */
export function toJobData(message: DeliveredMessage): DeliveryJob {
  return { ...toStored(message), ...(message.type !== undefined && { type: message.type }) };
}

/** Record of one call of a webhook. */
export interface AttemptEntry {
  at: string;
  statusCode: number | null;
  /** `timeout`, `connection_refused`, …; null after a 2xx. */
  error: string | null;
  durationMs: number;
  /** The first 1 KiB of the response as text; absent when it was empty. */
  responseBody?: string;
  /** The request, masked and limited in size; absent after a first attempt that succeeded and if no call was made. */
  request?: SentRequest;
  /** Error of the webhook's expression or URL template, if that was the failure. */
  detail?: string;
}

/** Stored in place of an attempt: the webhook's filter excluded the message, and no call was made. */
export interface Filtered {
  filtered: true;
}

/** Retention of finished deliveries by age (seconds) and number, enforced by `retention.ts`. */
export const KEEP_SUCCEEDED = { age: 24 * 3600, count: 1_000 };
/** Dead letters: 14 days. */
export const KEEP_FAILED = { age: 14 * 24 * 3600, count: 10_000 };

/** Most rows in a job's log: BullMQ drops the oldest beyond them. */
export const KEEP_LOGS = 30;

/**
 * Options of every delivery. The bridge itself decides when to give up, since the schedule may change while a message
 * waits: `attempts` is only a bound that is never reached. The job's stack traces hold the failed attempts.
 */
export const JOB_OPTIONS = { attempts: 1_000, backoff: { type: "custom" }, stackTraceLimit: 50, keepLogs: KEEP_LOGS };

/** Place of a delivery in its message group, stored in its job. Ids are those of jobs of the same webhook. */
export interface Place {
  /** Number of the delivery within the webhook, from 1; gaps are possible. */
  sequence: number;
  /** Predecessor. */
  previous?: string;
  /** Successor, if it was known when the delivery was added. */
  next?: string;
  /** Group tail while this delivery is the last one; undefined when its successor was added with it. */
  tail?: GroupTail;
}

/** Tail of a message group, stored under `key`. */
export interface GroupTail {
  key: string;
  value: string;
}

/** Returns the successors recorded in a job, when it was added or later. */
export function successorsOf({ data, progress }: { data: { place?: Place }; progress: unknown }): string[] {
  const left = (progress as { next?: string } | undefined)?.next;
  return [...new Set([data.place?.next, left])].filter((id) => id !== undefined);
}

export interface PlacedJob {
  id: string;
  data: StoredMessage & { place?: Place };
  /** Milliseconds by which the job is postponed. */
  delay?: number;
}

/** Operations of a worker on its whole queue. */
export interface Endpoint {
  /** Pauses the calls of this webhook for `ms` milliseconds. */
  pause(ms: number): Promise<void>;
}

export type Deliver = (
  job: QueuedJob,
  token: string | undefined,
  endpoint: Endpoint,
) => Promise<AttemptEntry | Filtered | null>;
