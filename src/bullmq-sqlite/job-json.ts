import type { JobJson, JobsOptions, ParentKeyOpts } from "bullmq";
import type { JobRow } from "./procedures/job-row.ts";
import type { AddRequest } from "./procedures/requests.ts";

export function toJobJson(row: JobRow): JobJson {
  const job: Record<keyof JobJson, unknown> = {
    id: row[0],
    name: row[1],
    data: row[2],
    opts: JSON.parse(row[3]),
    progress: row[4] === null ? 0 : JSON.parse(row[4]),
    delay: row[5],
    priority: row[6],
    timestamp: row[7],
    attemptsStarted: row[8],
    attemptsMade: row[9],
    stalledCounter: row[10],
    finishedOn: row[11] ?? undefined,
    processedOn: row[12] ?? undefined,
    repeatJobKey: row[13] ?? undefined,
    debounceId: row[14] ?? undefined,
    deduplicationId: row[14] ?? undefined,
    failedReason: row[15] ?? undefined,
    deferredFailure: row[16] ?? undefined,
    stacktrace: row[17] ?? undefined,
    returnvalue: row[18] ?? undefined,
    parentKey: row[19] ?? undefined,
    parent: row[20] === null ? undefined : JSON.parse(row[20]),
    processedBy: row[21] ?? undefined,
  };
  return job as unknown as JobJson;
}

export function toAddRequest(job: JobJson, id: string | undefined, parent: ParentKeyOpts = {}): AddRequest {
  const opts = job.opts as JobsOptions & { deduplication?: AddRequest["deduplication"] };
  const parentKey = parent.parentKey ?? job.parentKey;
  return {
    id: id ?? "",
    name: job.name,
    data: job.data ?? "{}",
    opts: JSON.stringify(opts),
    timestamp: job.timestamp,
    delay: opts.delay ?? 0,
    priority: opts.priority ?? 0,
    lifo: opts.lifo ?? false,
    ...(opts.deduplication?.id ? { deduplication: { ...opts.deduplication } } : {}),
    ...(job.repeatJobKey ? { schedulerId: job.repeatJobKey } : {}),
    ...(parentKey ? { parentKey, parent: JSON.stringify(job.parent) } : {}),
    ...(parent.addToWaitingChildren ? { waitingChildren: true } : {}),
  };
}
