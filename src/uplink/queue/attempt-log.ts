/**
 * Attempt log of a delivery. A successful attempt costs no extra round trip: it is the job's return value. Failed
 * attempts that count towards the schedule are the job's stack traces. The job's log holds the rest: calls that do not
 * count, and all attempts before a redelivery.
 */
import type { SentRequest } from "../attempt.ts";
import type { DeliveryQueue } from "./delivery-queue.ts";
import type { AttemptEntry, QueuedJob } from "./job.ts";

/** Most attempts that the API returns, and that one row of the job's log holds. */
const MAX_SHOWN = 50;

/** Error of an attempt whose lease ran out. */
export const LEASE_EXPIRED = "lease_expired";

export interface LoggedAttempt extends Omit<AttemptEntry, "responseBody" | "request"> {
  /** The first 1 KiB of the response as text, null when it was empty. */
  responseBody: string | null;
  /** Null after a first attempt that succeeded, and if no call was made. */
  request: SentRequest | null;
}

/** Row written when the delivery is made again, by a retry or a replay that a user requests. */
interface AgainRow {
  /** Time of the retry or replay, RFC 3339. */
  again: string;
  /** Attempts that only the job itself held. */
  attempts: AttemptEntry[];
  /** Leases that had run out before; they count no more. Absent: none. */
  expired?: number;
}

type AttemptRow = AttemptEntry | AgainRow;

/** Logs a call that used up no attempt. A failed write does not affect the delivery. */
export async function logAttempt(job: QueuedJob, attempt: AttemptEntry): Promise<void> {
  await job.log(JSON.stringify(attempt)).catch(() => undefined);
}

/** Reads the recorded attempts, oldest first, at most the last MAX_SHOWN. */
export async function readAttempts(queue: DeliveryQueue, job: QueuedJob): Promise<AttemptEntry[]> {
  const rows = await queue.logOf(job.id!);
  return merge([...rows.flatMap(parseRow).flatMap(attemptsOfRow), ...attemptsInJob(job)]);
}

/** Returns the last attempt if the job itself holds it; does not read the log. */
export function lastInJob(job: QueuedJob): AttemptEntry | undefined {
  return attemptsInJob(job).at(-1);
}

/**
 * Logs the job's attempts before it waits again: the store then drops them.
 * @returns false when the job is gone
 */
export async function rememberAttempts(queue: DeliveryQueue, job: QueuedJob, now: number): Promise<boolean> {
  const rows = await queue.logOf(job.id!);
  const known = new Set(rows.flatMap(parseRow).flatMap(attemptsOfRow).map(keyOf));
  const attempts = attemptsInJob(job).filter((attempt) => !known.has(keyOf(attempt)));
  const row: AgainRow = {
    again: new Date(now).toISOString(),
    attempts: attempts.slice(-MAX_SHOWN),
    ...(job.stalledCounter > 0 && { expired: job.stalledCounter }),
  };
  return queue.appendLog(job, JSON.stringify(row));
}

/** Time at which the delivery was last made again on request, in milliseconds since the epoch. */
export async function lastAgain(queue: DeliveryQueue, jobId: string): Promise<number | undefined> {
  const last = await lastAgainRow(queue, jobId);
  return last && Date.parse(last.again);
}

/** Whether a lease of the job has run out that is not among its attempts yet. */
export async function hasExpired(queue: DeliveryQueue, job: QueuedJob): Promise<boolean> {
  const { stalledCounter } = job;
  if (stalledCounter === 0) return false;
  const recorded = attemptsInJob(job).filter(({ error }) => error === LEASE_EXPIRED).length;
  if (stalledCounter === recorded) return false;
  return stalledCounter > recorded + ((await lastAgainRow(queue, job.id!))?.expired ?? 0);
}

async function lastAgainRow(queue: DeliveryQueue, jobId: string): Promise<AgainRow | undefined> {
  const last = (await queue.logOf(jobId)).flatMap(parseRow).findLast((row) => "again" in row);
  return last && "again" in last ? last : undefined;
}

export function toLogged({ responseBody, request, ...rest }: AttemptEntry): LoggedAttempt {
  return { ...rest, responseBody: responseBody ?? null, request: request ?? null };
}

/** The attempt as lists show it. */
export function summary({ responseBody: _body, request: _request, ...rest }: AttemptEntry): AttemptEntry {
  return rest;
}

function attemptsInJob(job: QueuedJob): AttemptEntry[] {
  const traces = job.stacktrace ?? [];
  const failures = traces.length > 0 ? traces : job.failedReason ? [job.failedReason] : [];
  const succeeded = job.returnvalue as AttemptEntry | null | undefined;
  return [...failures.flatMap(parseRow).flatMap(attemptsOfRow), ...(isAttempt(succeeded) ? [succeeded] : [])];
}

/** A failure outside the call itself, e.g. a stalled job, is not an attempt. */
function parseRow(text: string): AttemptRow[] {
  try {
    const row = JSON.parse(text) as AttemptRow;
    return isAttempt(row) || Array.isArray((row as AgainRow | null)?.attempts) ? [row] : [];
  } catch {
    return [];
  }
}

function attemptsOfRow(row: AttemptRow): AttemptEntry[] {
  return "again" in row ? row.attempts : [row];
}

function isAttempt(value: unknown): value is AttemptEntry {
  return typeof (value as AttemptEntry | null | undefined)?.at === "string";
}

/** Identifies an attempt, which may be in the job and in its log: a process may die between the two writes. */
function keyOf({ at, statusCode, error, durationMs }: AttemptEntry): string {
  return [at, statusCode, error, durationMs].join();
}

function merge(attempts: AttemptEntry[]): AttemptEntry[] {
  const once = [...new Map(attempts.map((attempt) => [keyOf(attempt), attempt])).values()];
  return once.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).slice(-MAX_SHOWN);
}
