/** Columns of a job in the order of `JobRow`, as sent to the main thread: an array is cheaper to clone than an object. */
export const JOB_ROW =
  "id, name, data, opts, progress, delay, priority, timestamp, attempts_started, attempts_made, stalled_counter, " +
  "finished_on, processed_on, scheduler_id, deduplication_id, failed_reason, deferred_failure, stacktrace, " +
  "return_value, parent_key, parent, processed_by";

export type JobRow = [
  id: string,
  name: string,
  data: string,
  opts: string,
  progress: string | null,
  delay: number,
  priority: number,
  timestamp: number,
  attemptsStarted: number,
  attemptsMade: number,
  stalledCounter: number,
  finishedOn: number | null,
  processedOn: number | null,
  schedulerId: string | null,
  deduplicationId: string | null,
  failedReason: string | null,
  deferredFailure: string | null,
  stacktrace: string | null,
  returnValue: string | null,
  parentKey: string | null,
  parent: string | null,
  processedBy: string | null,
];
