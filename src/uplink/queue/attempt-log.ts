/**
 * The attempts of a delivery. A first attempt that succeeds costs no round trip of its own: it is the job's return value.
 * Those that fail and use up the schedule are the job's stack traces. What either place would lose goes to the job's
 * log: calls that use up nothing, and everything before a person had it delivered again.
 */
import type { Job, Queue } from "bullmq";
import { type Attempt, type DeliveryJob, KEEP_LOGS } from "./job.ts";

/** Attempts that are shown, and at most copied into one row. */
const MAX_SHOWN = 50;

export interface LoggedAttempt extends Omit<Attempt, "responseBody"> {
  /** The first 1 KiB of the answer as text, null when there was none. */
  responseBody: string | null;
}

/** A row that is written when a person has the delivery made again. */
interface AgainRow {
  /** When, RFC 3339. */
  again: string;
  /** Those that only the job itself knew. */
  attempts: Attempt[];
}

type Row = Attempt | AgainRow;

/** A call that used up no attempt. A log that cannot be written changes nothing about the delivery. */
export async function logAttempt(job: Job<DeliveryJob>, attempt: Attempt): Promise<void> {
  await job.log(JSON.stringify(attempt)).catch(() => undefined);
}

/** Every attempt that is known, the oldest first, the last MAX_SHOWN. */
export async function readAttempts(queue: Queue<DeliveryJob>, job: Job<DeliveryJob>): Promise<Attempt[]> {
  const { logs } = await queue.getJobLogs(job.id!, 0, KEEP_LOGS - 1);
  return merge([...logs.flatMap(parseRow).flatMap(attemptsOfRow), ...attemptsInJob(job)]);
}

/** Without reading the log: the last one, if the job itself knows it. */
export function lastInJob(job: Job<DeliveryJob>): Attempt | undefined {
  return attemptsInJob(job).at(-1);
}

/** Before a job is made to wait again: what the store then forgets of it (the PostgreSQL backend its stack traces, too). */
export async function rememberAttempts(queue: Queue<DeliveryJob>, job: Job<DeliveryJob>, now: number): Promise<void> {
  const { logs } = await queue.getJobLogs(job.id!, 0, KEEP_LOGS - 1);
  const known = new Set(logs.flatMap(parseRow).flatMap(attemptsOfRow).map(keyOf));
  const attempts = attemptsInJob(job).filter((attempt) => !known.has(keyOf(attempt)));
  const row: AgainRow = { again: new Date(now).toISOString(), attempts: attempts.slice(-MAX_SHOWN) };
  await job.log(JSON.stringify(row));
}

/** When a person last had it made again, in milliseconds since the epoch. */
export async function lastAgain(queue: Queue<DeliveryJob>, jobId: string): Promise<number | undefined> {
  const { logs } = await queue.getJobLogs(jobId, 0, KEEP_LOGS - 1);
  const last = logs.flatMap(parseRow).findLast((row) => "again" in row);
  return last && "again" in last ? Date.parse(last.again) : undefined;
}

export function toLogged({ responseBody, ...rest }: Attempt): LoggedAttempt {
  return { ...rest, responseBody: responseBody ?? null };
}

export function withoutBody({ responseBody: _responseBody, ...rest }: Attempt): Attempt {
  return rest;
}

function attemptsInJob(job: Job<DeliveryJob>): Attempt[] {
  const traces = job.stacktrace ?? [];
  const failures = traces.length > 0 ? traces : job.failedReason ? [job.failedReason] : [];
  const succeeded = job.returnvalue as Attempt | null | undefined;
  return [...failures.flatMap(parseRow).flatMap(attemptsOfRow), ...(isAttempt(succeeded) ? [succeeded] : [])];
}

/** A failure outside the call itself, e.g. a job that stalled, is no attempt. */
function parseRow(text: string): Row[] {
  try {
    const row = JSON.parse(text) as Row;
    return isAttempt(row) || Array.isArray((row as AgainRow | null)?.attempts) ? [row] : [];
  } catch {
    return [];
  }
}

function attemptsOfRow(row: Row): Attempt[] {
  return "again" in row ? row.attempts : [row];
}

function isAttempt(value: unknown): value is Attempt {
  return typeof (value as Attempt | null | undefined)?.at === "string";
}

/** One attempt may stand in two places: both are written when a process dies between them. */
function keyOf({ at, statusCode, error, durationMs }: Attempt): string {
  return [at, statusCode, error, durationMs].join();
}

function merge(attempts: Attempt[]): Attempt[] {
  const once = [...new Map(attempts.map((attempt) => [keyOf(attempt), attempt])).values()];
  return once.sort((a, b) => (a.at < b.at ? -1 : a.at > b.at ? 1 : 0)).slice(-MAX_SHOWN);
}
