/** The record of a stored request: its possible endings and its state in the API. Pure. */
import { Refused } from "../errors.ts";
import { publishTopicError } from "../topic.ts";
import type { Match } from "./request.ts";

/** A stored request; times are milliseconds since the epoch. */
export interface RequestRecord {
  id: string;
  topic: string;
  responseTopic: string;
  filter: string;
  match: Match;
  correlation: string;
  createdAt: number;
  expiresAt: number;
  respondedAt?: number;
  cancelled?: Cancellation;
  failed?: Failure;
}

/** Time and state in which a request ended without a response, e.g. by `DELETE /v1/requests/{id}`. */
export interface Cancellation {
  /** Milliseconds since the epoch. */
  at: number;
  /** Its message was, or may have been, published: the device may still respond. */
  sent: boolean;
}

/** Its message could not be published. */
export interface Failure extends Cancellation {
  error: string;
}

/** The record after the request has failed; undefined if it has ended already. */
export function failRecord(record: RequestRecord, failed: Failure): RequestRecord | undefined {
  return isWaiting(record) ? { ...record, failed } : undefined;
}

/** The record after the request is cancelled; undefined if it already was, refused if it has ended differently. */
export function cancelRecord(record: RequestRecord, cancelled: Cancellation): RequestRecord | Refused | undefined {
  if (record.cancelled) return undefined;
  return checkOpen(record, cancelled.at) ?? { ...record, cancelled };
}

/** Refuses a request that has ended by itself. */
export function checkOpen({ respondedAt, failed, expiresAt }: RequestRecord, now: number): Refused | undefined {
  if (respondedAt !== undefined) return new Refused("conflict", "the device has responded");
  if (failed) return new Refused("conflict", `the request has failed: ${failed.error}`);
  return now >= expiresAt ? new Refused("conflict", "the request has expired") : undefined;
}

/** Why a request that an older version accepted is set aside: its subscription would end the broker session. */
export function requestFault({ responseTopic }: RequestRecord): string | undefined {
  const wrong = publishTopicError(responseTopic);
  return wrong && `responseTopic: ${wrong}`;
}

/** Time after its end in which a late response to a request is still received and counted. */
const LATE_MS = 60_000;
const SWEEP_MS = 10_000;
/** Margin for a timer that fires early. */
const AFTER_MS = 10;

export function untilSweep(now: number): number {
  return SWEEP_MS - (now % SWEEP_MS) + AFTER_MS;
}

/** Time from which the topic of a request is no longer subscribed: always a sweep, so that all instances agree. */
export function dropAt(record: RequestRecord): number {
  const { expiresAt } = record;
  const ended = record.cancelled ?? record.failed;
  if (ended?.sent === false || requestFault(record)) return 0;
  const end = Math.min(expiresAt, ended?.at ?? expiresAt);
  return Math.ceil((end + LATE_MS) / SWEEP_MS) * SWEEP_MS;
}

/** Whether a response is still expected, regardless of the expiry. */
export function isWaiting({ respondedAt, cancelled, failed }: RequestRecord): boolean {
  return respondedAt === undefined && cancelled === undefined && failed === undefined;
}

/** How long a request can be read after it expires, and the maximum number of ended requests. */
const KEEP_MS = 24 * 3_600_000;
const MAX_KEPT = 10_000;

/** Requests that are no longer kept, the oldest first. */
export function pastKeeping(records: RequestRecord[], now: number): RequestRecord[] {
  const ended = records.filter((record) => !isWaiting(record) || now >= record.expiresAt);
  const excess = ended.length - MAX_KEPT;
  return ended
    .sort((a, b) => a.createdAt - b.createdAt)
    .filter(({ expiresAt }, i) => i < excess || now >= expiresAt + KEEP_MS);
}

/** The state of a request as JSON. @param response the response as JSON */
export function stateJson(record: RequestRecord, now: number, response?: string): string {
  const { id, topic, createdAt, expiresAt, cancelled, failed } = record;
  const error = response === undefined && !cancelled ? (failed?.error ?? requestFault(record)) : undefined;
  const unanswered = cancelled ? "cancelled" : error ? "failed" : now >= expiresAt ? "expired" : "pending";
  const outcome = response === undefined ? unanswered : "responded";
  const head = { id, outcome, topic, createdAt: time(createdAt), expiresAt: time(expiresAt), ...(error && { error }) };
  const text = JSON.stringify(head);
  return response === undefined ? text : `${text.slice(0, -1)},"response":${response}}`;
}

const time = (ms: number) => new Date(ms).toISOString();
