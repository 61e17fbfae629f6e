/** The vocabulary of the delivery side: what a job holds, what an attempt leaves behind. */
import type { Job } from "bullmq";
import { fromStored, type Message, type StoredMessage, toStored } from "../../message.ts";

/** The queue of a webhook. Queue names must not hold `:`. */
export function queueName(webhookId: string): string {
  return `deliver-${webhookId}`;
}

/** The inverse of {@link queueName}. */
export function webhookOfQueue(name: string): string {
  return name.slice(queueName("").length);
}

/** A job's data; its id is the message's. */
export interface DeliveryJob extends StoredMessage {
  /** CloudEvents `type` of what is not a message of a device, as `webhook.test`. */
  type?: string;
  /** Its place in its line, where the webhook wants an order. */
  place?: Place;
}

/** What is delivered: a message, or an event of the bridge itself. */
export interface DeliveredMessage extends Message {
  type?: string;
  place?: Place;
}

export function fromJob(job: Job<DeliveryJob>): DeliveredMessage {
  return fromStored(job.id!, job.data);
}

/** The inverse of {@link fromJob}. */
export function toJobData(message: DeliveredMessage): DeliveryJob {
  return { ...toStored(message), ...(message.type !== undefined && { type: message.type }) };
}

/** One call of a webhook, as kept. */
export interface Attempt {
  at: string;
  statusCode: number | null;
  /** `timeout`, `connection_refused`, …; null after a 2xx. */
  error: string | null;
  durationMs: number;
  /** The first 1 KiB of the answer as text; absent when it was empty. */
  responseBody?: string;
  /** What is wrong with the webhook's expression, where that is the error. */
  detail?: string;
}

/** Kept in place of an attempt: the webhook's filter left the message out, and nobody was called. */
export interface Filtered {
  filtered: true;
}

/** Retention of finished deliveries by age (seconds) and number, kept by `retention.ts`. */
export const KEEP_SUCCEEDED = { age: 24 * 3600, count: 1_000 };
/** The dead letters: 14 days. */
export const KEEP_FAILED = { age: 14 * 24 * 3600, count: 10_000 };

/** Rows in a job's log: BullMQ drops the oldest beyond them. */
export const KEEP_LOGS = 30;

/**
 * Options of every delivery. The bridge itself decides when to give up, since the schedule may change while a message
 * waits: `attempts` is only a bound that is never reached. Failed attempts are kept in the job's stack trace list.
 */
export const JOB_OPTIONS = { attempts: 1_000, backoff: { type: "custom" }, stackTraceLimit: 50, keepLogs: KEEP_LOGS };

/** The place of a delivery, kept in its job. Ids are those of jobs of the same webhook. */
export interface Place {
  /** Counts the deliveries of the webhook from 1 on; gaps are possible. */
  sequence: number;
  /** The one before it in its line. */
  previous?: string;
  /** The one behind it, where that was known when it was added. */
  next?: string;
  /** What the tail of the line holds while this one is the last; undefined when another one was added with it. */
  tail?: GroupTail;
}

/** The end of a line, kept under `key`. */
export interface GroupTail {
  key: string;
  value: string;
}

/** Those behind a delivery, as far as its job tells: known when it was added, or left with it since. */
export function successorsOf({ data, progress }: { data: { place?: Place }; progress: unknown }): string[] {
  const left = (progress as { next?: string } | undefined)?.next;
  return [...new Set([data.place?.next, left])].filter((id) => id !== undefined);
}

export interface PlacedJob {
  id: string;
  data: StoredMessage & { place?: Place };
  /** Milliseconds for which it is parked. */
  delay?: number;
}

/** What a worker can do to its whole queue. */
export interface Endpoint {
  /** Milliseconds for which nothing of this webhook is called. */
  pause(ms: number): Promise<void>;
}

export type Deliver = (
  job: Job<DeliveryJob>,
  token: string | undefined,
  endpoint: Endpoint,
) => Promise<Attempt | Filtered | null>;
