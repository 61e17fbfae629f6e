/** Arguments of the procedures, as the main thread sends them. */

/** A job to store, as `add` receives it. `opts` is JSON. */
export interface NewJob {
  id: string;
  name: string;
  data: string;
  opts: string;
  timestamp: number;
  delay: number;
  priority: number;
  lifo: boolean;
  waitingChildren?: boolean;
  deduplicationId?: string | null;
  schedulerId?: string | null;
  parentKey?: string | null;
  parent?: string | null;
}

export interface DeduplicationOptions {
  id: string;
  /** Milliseconds during which the id is taken; absent: as long as its job is not finished. */
  ttl?: number;
  extend?: boolean;
  replace?: boolean;
  reschedule?: boolean;
  keepLastIfActive?: boolean;
}

/** A job to add. An empty id means the next number of the queue. */
export interface AddRequest extends NewJob {
  deduplication?: DeduplicationOptions;
}

export interface FlowRequest extends AddRequest {
  queue: string;
}

export interface TakeRequest {
  token: string;
  lockDuration: number;
  /** Name of the worker. */
  name: string | null;
  /** The worker's rate limiter. */
  max: number | null;
  duration: number | null;
  now: number;
}

/** Fields of a job that a failed attempt sets. */
export interface AttemptFields {
  failedReason?: string | null;
  stacktrace?: string | null;
}

export interface FinishRequest extends AttemptFields {
  id: string;
  token: string;
  state: "completed" | "failed";
  /** Result as JSON, or the reason of the failure. */
  value: string;
  finishedOn: number;
  /** Finished jobs to keep: number (0: none, negative: all), age in seconds, and how many are removed at once. */
  keep: { count?: number; age?: number; limit?: number };
  attempts: number;
  maxMetrics: number;
  next: TakeRequest | null;
}

export interface DelayRequest extends AttemptFields {
  id: string;
  token: string;
  now: number;
  delay: number;
  skipAttempt: boolean;
  next: TakeRequest | null;
}
