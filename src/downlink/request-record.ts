/** The record of a stored request: how it ends, and what the API says of it. Pure. */
import { Problem } from "../errors.ts";
import { publishTopicError } from "../topic.ts";
import type { Match } from "./request.ts";

/** What is known of a request; times are milliseconds since the epoch. */
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

/** When a request ended without a response, as by `DELETE /v1/requests/{id}`. */
export interface Cancellation {
  /** Milliseconds since the epoch. */
  at: number;
  /** Its message was published, or may have been: the device may still respond. */
  sent: boolean;
}

/** Its message could not be published. */
export interface Failure extends Cancellation {
  error: string;
}

/** The record of a request that has failed; undefined when it has ended otherwise. */
export function failRecord(record: RequestRecord, failed: Failure): RequestRecord | undefined {
  return isWaiting(record) ? { ...record, failed } : undefined;
}

/**
 * The record of a request that is taken back; undefined when it has been already.
 * @throws Problem conflict when it has ended otherwise
 */
export function cancelRecord(record: RequestRecord, cancelled: Cancellation): RequestRecord | undefined {
  if (record.cancelled) return undefined;
  requireOpen(record, cancelled.at);
  return { ...record, cancelled };
}

/** @throws Problem conflict */
export function requireOpen({ respondedAt, failed, expiresAt }: RequestRecord, now: number): void {
  if (respondedAt !== undefined) throw new Problem("conflict", "the device has responded");
  if (failed) throw new Problem("conflict", `it has failed: ${failed.error}`);
  if (now >= expiresAt) throw new Problem("conflict", "it has expired");
}

/** Why a request that an older version accepted is set aside: its subscription would end the broker session. */
export function requestFault({ responseTopic }: RequestRecord): string | undefined {
  const wrong = publishTopicError(responseTopic);
  return wrong && `responseTopic: ${wrong}`;
}

/** A late response is still received and counted for so long. */
const LATE_MS = 60_000;
const SWEEP_MS = 10_000;
/** So that a timer that is early is not too early. */
const AFTER_MS = 10;

export function untilSweep(now: number): number {
  return SWEEP_MS - (now % SWEEP_MS) + AFTER_MS;
}

/** When the topic of a request is no longer listened to: at a sweep, so that all instances agree. */
export function dropAt(record: RequestRecord): number {
  const { expiresAt } = record;
  const ended = record.cancelled ?? record.failed;
  if (ended?.sent === false || requestFault(record)) return 0;
  const end = Math.min(expiresAt, ended?.at ?? expiresAt);
  return Math.ceil((end + LATE_MS) / SWEEP_MS) * SWEEP_MS;
}

/** Whether a response is still wanted, apart from the time. */
export function isWaiting({ respondedAt, cancelled, failed }: RequestRecord): boolean {
  return respondedAt === undefined && cancelled === undefined && failed === undefined;
}

/** How long a request can be read after the end of its validity, and how many that have ended. */
const KEEP_MS = 24 * 3_600_000;
const MAX_KEPT = 10_000;

/** Those that are not kept any longer, the oldest first. */
export function pastKeeping(records: RequestRecord[], now: number): RequestRecord[] {
  const ended = records.filter((record) => !isWaiting(record) || now >= record.expiresAt);
  const excess = ended.length - MAX_KEPT;
  return ended
    .sort((a, b) => a.createdAt - b.createdAt)
    .filter(({ expiresAt }, i) => i < excess || now >= expiresAt + KEEP_MS);
}

/** @param response its JSON */
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
