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
}

/** `DELETE /v1/requests/{id}`. */
export interface Cancellation {
  /** Milliseconds since the epoch. */
  at: number;
  /** Its message was published, or may have been: the device may still respond. */
  sent: boolean;
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
export function requireOpen({ respondedAt, expiresAt }: RequestRecord, now: number): void {
  if (respondedAt !== undefined) throw new Problem("conflict", "the device has responded");
  if (now >= expiresAt) throw new Problem("conflict", "it has expired");
}

/** Why a request that an older version accepted is set aside: its subscription would end the broker session. */
export function requestFault({ responseTopic }: RequestRecord): string | undefined {
  const wrong = publishTopicError(responseTopic);
  return wrong && `responseTopic: ${wrong}`;
}

/** A late response is still received and counted for so long. */
const LATE_MS = 60_000;
export const SWEEP_MS = 10_000;

/** When the topic of a request is no longer listened to: at a sweep, so that all instances agree. */
export function dropAt(record: RequestRecord): number {
  const { expiresAt, cancelled } = record;
  if (cancelled?.sent === false || requestFault(record)) return 0;
  const end = Math.min(expiresAt, cancelled?.at ?? expiresAt);
  return Math.ceil((end + LATE_MS) / SWEEP_MS) * SWEEP_MS;
}

/** Whether a response is still wanted, apart from the time. */
export function isWaiting({ respondedAt, cancelled }: RequestRecord): boolean {
  return respondedAt === undefined && cancelled === undefined;
}

/** @param response its JSON */
export function stateJson(record: RequestRecord, now: number, response?: string): string {
  const { id, topic, createdAt, expiresAt, cancelled } = record;
  const error = response === undefined && !cancelled ? requestFault(record) : undefined;
  const unanswered = cancelled || error ? "cancelled" : now >= expiresAt ? "expired" : "pending";
  const outcome = response === undefined ? unanswered : "responded";
  const head = { id, outcome, topic, createdAt: time(createdAt), expiresAt: time(expiresAt), ...(error && { error }) };
  const text = JSON.stringify(head);
  return response === undefined ? text : `${text.slice(0, -1)},"response":${response}}`;
}

const time = (ms: number) => new Date(ms).toISOString();
