import { ErrorCode, UnrecoverableError } from "bullmq";

export interface Refusal {
  code: number;
  jobId?: string;
  parentKey?: string;
  command: string;
  state?: string;
}

/** Message per code, word by word as BullMQ's other backends have it: applications compare them. */
const MESSAGES: Record<number, (refusal: Refusal) => string> = {
  [ErrorCode.JobNotExist]: ({ jobId, command }) => `Missing key for job ${jobId}. ${command}`,
  [ErrorCode.JobLockNotExist]: ({ jobId, command }) => `Missing lock for job ${jobId}. ${command}`,
  [ErrorCode.JobNotInState]: ({ jobId, state, command }) => `Job ${jobId} is not in the ${state} state. ${command}`,
  [ErrorCode.JobPendingChildren]: ({ jobId, command }) => `Job ${jobId} has pending dependencies. ${command}`,
  [ErrorCode.ParentJobNotExist]: ({ parentKey, command }) => `Missing key for parent job ${parentKey}. ${command}`,
  [ErrorCode.JobLockMismatch]: ({ jobId, state, command }) =>
    `Lock mismatch for job ${jobId}. Cmd ${command} from ${state}`,
  [ErrorCode.ParentJobCannotBeReplaced]: ({ parentKey, command }) =>
    `The parent job ${parentKey} cannot be replaced. ${command}`,
  [ErrorCode.JobBelongsToJobScheduler]: ({ jobId, command }) =>
    `Job ${jobId} belongs to a job scheduler and cannot be removed directly. ${command}`,
  [ErrorCode.JobHasFailedChildren]: ({ jobId, command }) =>
    `Cannot complete job ${jobId} because it has at least one failed child. ${command}`,
  [ErrorCode.SchedulerJobIdCollision]: ({ command }) =>
    `Cannot create job scheduler iteration - job ID already exists. ${command}`,
  [ErrorCode.SchedulerJobSlotsBusy]: ({ command }) =>
    `Cannot create job scheduler iteration - current and next time slots already have jobs. ${command}`,
};

/** Returns the error that BullMQ throws for a negative result. */
export function refusal(details: Refusal): Error {
  const message =
    MESSAGES[details.code]?.(details) ?? `Unknown code ${details.code} error for ${details.jobId}. ${details.command}`;
  const error = details.code === ErrorCode.JobHasFailedChildren ? new UnrecoverableError(message) : new Error(message);
  return Object.assign(error, { code: details.code });
}
