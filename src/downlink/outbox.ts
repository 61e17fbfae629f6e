/**
 * The outbox: messages that are stored first and published once the broker is connected, or when they are due. One
 * queue for all instances, in order of acceptance, from which one job at a time is processed.
 */
import { setTimeout as delay } from "node:timers/promises";
import type { Job, Queue, Worker } from "bullmq";
import { OutboxHead, type OutboxHeadOptions } from "./outbox-head.ts";
import type { OutgoingMessage } from "./publish.ts";
import {
  type Accept,
  type AcceptOptions,
  type Ending,
  OutboxFullError,
  type OutboxJob,
  type PublishGate,
  type StoredPublish,
  toJob,
  toStoredPublish,
} from "./stored-publish.ts";
import { countWaiting } from "./waiting-count.ts";

type OutboxProcessor = (job: Job<OutboxJob>, token?: string) => Promise<Ending>;

export interface OutboxOptions
  extends Pick<OutboxHeadOptions, "publish" | "broker" | "onTrouble" | "onFailed" | "backoffMs"> {
  openQueue(name: string): Queue<OutboxJob, Ending>;
  openWorker(name: string, processor: OutboxProcessor, options: object): Worker<OutboxJob, Ending>;
  /** No other process uses this store: a job that is locked at the start is left over from a previous run. */
  exclusive: boolean;
  gates?: Record<string, PublishGate>;
  onAccepted(message: OutgoingMessage, stored: StoredPublish): void;
  /** For tests. */
  maxWaiting?: number;
  maxKept?: number;
}

export interface Outbox {
  accept: Accept;
  /** Undefined for an unknown or cancelled message. */
  get(id: string): Promise<StoredPublish | undefined>;
  /** Cancels a message; `too_late`: it has been published, or its publish is in progress. */
  cancel(id: string): Promise<"cancelled" | "not_found" | "too_late">;
  /**
   * Cancels a message in any state. False if it has been, or may have been, published; a message that waits for a
   * repeated publish is not published again.
   */
  withdraw(id: string): Promise<boolean>;
  /** Number of waiting messages, scheduled ones included; at most a second old. */
  waiting(): Promise<number>;
  /** Starts publishing. Rejects if the store is unavailable. */
  start(): Promise<void>;
  /** Waits for a publish in progress, i.e. for its acknowledgement. A waiting message keeps its position. */
  stop(): Promise<void>;
}

const QUEUE = "publish";
/** How long the outcome of a message can be read, in seconds. */
const KEEP = { age: 24 * 3600 };
/** Number of messages whose outcome is kept. Enforced every TRIM_EVERY messages. */
const MAX_KEPT = 10_000;
const TRIM_EVERY = 500;
const MAX_WAITING = 100_000;
/** All jobs have the same priority: BullMQ puts a returned job at the head of its priority. */
const PRIORITY = 1;
/** The message of a dead process is retried, before all others, after at most LOCK_MS and two stalled checks. */
const LOCK_MS = 10_000;
const LOOK_OUT_MS = 2_500;
/** Interval at which an idle instance checks whether it can process the queue in place of another instance. */
const IDLE_SECONDS = 2;
/** How long a cancellation waits for the outcome of a message whose publish may be in progress. */
const CANCEL_MS = 3_000;
const CANCEL_POLL_MS = 50;

export function createOutbox(options: OutboxOptions): Outbox {
  const { exclusive, maxWaiting = MAX_WAITING, maxKept = MAX_KEPT } = options;
  const queue = options.openQueue(QUEUE);
  const line = new OutboxHead({ ...options, gates: options.gates ?? {}, lookUp });
  let worker: Worker<OutboxJob, Ending> | undefined;
  let ended = 0;
  const count = countWaiting(queue);

  async function lookUp(job: Job<OutboxJob>, token: string): Promise<"ours" | "cancelled" | "lost"> {
    if (!exclusive && (await job.extendLock(token, LOCK_MS)) === 0) return "lost";
    const now = await queue.getJob(job.id!);
    if (!now) return "lost";
    return now.data.cancelled ? "cancelled" : "ours";
  }

  async function find(id: string): Promise<Job<OutboxJob, Ending> | undefined> {
    // Other names might be keys that BullMQ uses itself.
    const job = /^(msg|req)_[0-9a-f-]{36}$/.test(id) ? await queue.getJob(id) : undefined;
    return job?.data.cancelled ? undefined : job;
  }

  async function accept(message: OutgoingMessage, wishes: AcceptOptions = {}): Promise<StoredPublish> {
    const now = Date.now();
    if (count.estimate() >= maxWaiting && (await count.recent()) >= maxWaiting) {
      throw new OutboxFullError(`${maxWaiting} messages wait to be published`);
    }
    const data = toJob(message, wishes, now);
    const due = Math.max(0, (data.sendAt ?? now) - now);
    count.add();
    await queue.add(QUEUE, data, {
      jobId: message.id,
      priority: PRIORITY,
      ...(due > 0 && { delay: due }),
      removeOnComplete: KEEP,
      removeOnFail: KEEP,
    });
    const stored = toStoredPublish(message.id, data, undefined, now);
    options.onAccepted(message, stored);
    return stored;
  }

  async function trim(): Promise<void> {
    const { completed = 0 } = await queue.getJobCounts("completed");
    if (completed > maxKept) await queue.clean(0, completed - maxKept, "completed");
  }

  async function cancel(id: string): Promise<"cancelled" | "not_found" | "too_late"> {
    const job = await find(id);
    if (!job) return "not_found";
    if (isFinished(job)) return "too_late";
    const { data } = job;
    if (await takeBack(job)) return "cancelled";
    await job.updateData(data);
    return "too_late";
  }

  async function withdraw(id: string): Promise<boolean> {
    const job = await queue.getJob(id);
    if (!job) return false;
    return isFinished(job) ? job.returnvalue?.outcome === "cancelled" : takeBack(job);
  }

  /** Marks the message as cancelled; false if it has been published or its publish is in progress. */
  async function takeBack(job: Job<OutboxJob, Ending>): Promise<boolean> {
    // From now on an instance that takes up the job does not publish it; but one may have taken it up before.
    await job.updateData({ ...job.data, cancelled: true });
    const state = await job.getState();
    if (state === "waiting" || state === "prioritized" || state === "delayed") {
      // If the job is locked by now, its processor has read the cancellation.
      await job.remove().catch(() => undefined);
      return true;
    }
    line.lookUp();
    for (const end = Date.now() + CANCEL_MS; Date.now() < end; await delay(CANCEL_POLL_MS)) {
      const now = await queue.getJob(job.id!);
      if (!now || now.returnvalue?.outcome === "cancelled") return true;
      if (isFinished(now)) break;
    }
    return false;
  }

  return {
    accept,
    cancel,
    withdraw,
    waiting: count.recent,

    async get(id) {
      const job = await find(id);
      return job && toStoredPublish(id, job.data, progressOf(job), Date.now());
    },

    async start() {
      if (exclusive) for (const job of await queue.getJobs(["active"])) await job.moveToWait("0");
      // Written only once: otherwise the bridge could not start on a Redis that is out of memory.
      else if ((await queue.getGlobalConcurrency()) !== 1) await queue.setGlobalConcurrency(1);
      await count.recent();
      worker = options.openWorker(QUEUE, (job, token) => line.publish(job, token!), {
        concurrency: 1,
        lockDuration: LOCK_MS,
        // No other worker could take over.
        ...(exclusive ? { skipStalledCheck: true } : { stalledInterval: LOOK_OUT_MS, drainDelay: IDLE_SECONDS }),
        maxStalledCount: 1_000_000,
        removeOnComplete: KEEP,
        removeOnFail: KEEP,
      });
      worker.on("completed", () => {
        if (++ended % TRIM_EVERY === 0) trim().catch(() => undefined); // the next trim will do
      });
    },

    async stop() {
      const closed = worker?.close();
      line.stop();
      await closed;
      await queue.close();
    },
  };
}

function isFinished(job: Job): boolean {
  return job.finishedOn !== undefined;
}

function progressOf(job: Job<OutboxJob, Ending>): Ending | "begun" | undefined {
  if (!isFinished(job)) return job.processedOn === undefined ? undefined : "begun";
  // The processor returns an ending for every case; `failedReason` is set only if the processor itself failed.
  return job.returnvalue ?? { outcome: "failed", at: job.finishedOn!, error: job.failedReason };
}
