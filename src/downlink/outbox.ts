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

export class Outbox {
  readonly #queue: Queue<OutboxJob, Ending>;
  readonly #head: OutboxHead;
  readonly #count: ReturnType<typeof countWaiting>;
  readonly #maxWaiting: number;
  #worker: Worker<OutboxJob, Ending> | undefined;
  #ended = 0;

  constructor(private readonly options: OutboxOptions) {
    this.#queue = options.openQueue(QUEUE);
    this.#head = new OutboxHead({
      ...options,
      gates: options.gates ?? {},
      lookUp: (job, token) => this.#lookUp(job, token),
    });
    this.#count = countWaiting(this.#queue);
    this.#maxWaiting = options.maxWaiting ?? MAX_WAITING;
  }

  /** Starts publishing. Rejects if the store is unavailable. */
  async start(): Promise<void> {
    const { exclusive } = this.options;
    if (exclusive) for (const job of await this.#queue.getJobs(["active"])) await job.moveToWait("0");
    // Written only once: otherwise the bridge could not start on a Redis that is out of memory.
    else if ((await this.#queue.getGlobalConcurrency()) !== 1) await this.#queue.setGlobalConcurrency(1);
    await this.#count.recent();
    this.#worker = this.options.openWorker(QUEUE, (job, token) => this.#head.publish(job, token!), {
      concurrency: 1,
      lockDuration: LOCK_MS,
      // No other worker could take over.
      ...(exclusive ? { skipStalledCheck: true } : { stalledInterval: LOOK_OUT_MS, drainDelay: IDLE_SECONDS }),
      maxStalledCount: 1_000_000,
      removeOnComplete: KEEP,
      removeOnFail: KEEP,
    });
    this.#worker.on("completed", () => {
      if (++this.#ended % TRIM_EVERY === 0) this.#trim().catch(() => undefined); // the next trim will do
    });
  }

  /** Waits for a publish in progress, i.e. for its acknowledgement. A waiting message keeps its position. */
  async stop(): Promise<void> {
    const closed = this.#worker?.close();
    this.#head.stop();
    await closed;
    await this.#queue.close();
  }

  readonly accept: Accept = async (message, wishes = {}) => {
    const now = Date.now();
    if (this.#count.estimate() >= this.#maxWaiting && (await this.#count.recent()) >= this.#maxWaiting) {
      throw new OutboxFullError(`${this.#maxWaiting} messages wait to be published`);
    }
    const data = toJob(message, wishes, now);
    const due = Math.max(0, (data.sendAt ?? now) - now);
    this.#count.add();
    await this.#queue.add(QUEUE, data, {
      jobId: message.id,
      priority: PRIORITY,
      ...(due > 0 && { delay: due }),
      removeOnComplete: KEEP,
      removeOnFail: KEEP,
    });
    const stored = toStoredPublish(message.id, data, undefined, now);
    this.options.onAccepted(message, stored);
    return stored;
  };

  /** Number of waiting messages, scheduled ones included; at most a second old. */
  waiting(): Promise<number> {
    return this.#count.recent();
  }

  /** Undefined for an unknown or cancelled message. */
  async get(id: string): Promise<StoredPublish | undefined> {
    const job = await this.#find(id);
    return job && toStoredPublish(id, job.data, progressOf(job), Date.now());
  }

  /** Cancels a message; `too_late`: it has been published, or its publish is in progress. */
  async cancel(id: string): Promise<"cancelled" | "not_found" | "too_late"> {
    const job = await this.#find(id);
    if (!job) return "not_found";
    if (isFinished(job)) return "too_late";
    const { data } = job;
    if (await this.#takeBack(job)) return "cancelled";
    await job.updateData(data);
    return "too_late";
  }

  /**
   * Cancels a message in any state. False if it has been, or may have been, published; a message that waits for a
   * repeated publish is not published again.
   */
  async withdraw(id: string): Promise<boolean> {
    const job = await this.#queue.getJob(id);
    if (!job) return false;
    return isFinished(job) ? job.returnvalue?.outcome === "cancelled" : this.#takeBack(job);
  }

  async #find(id: string): Promise<Job<OutboxJob, Ending> | undefined> {
    // Other names might be keys that BullMQ uses itself.
    const job = /^(msg|req)_[0-9a-f-]{36}$/.test(id) ? await this.#queue.getJob(id) : undefined;
    return job?.data.cancelled ? undefined : job;
  }

  /** Marks the message as cancelled; false if it has been published or its publish is in progress. */
  async #takeBack(job: Job<OutboxJob, Ending>): Promise<boolean> {
    // From now on an instance that takes up the job does not publish it; but one may have taken it up before.
    await job.updateData({ ...job.data, cancelled: true });
    const state = await job.getState();
    if (state === "waiting" || state === "prioritized" || state === "delayed") {
      // If the job is locked by now, its processor has read the cancellation.
      await job.remove().catch(() => undefined);
      return true;
    }
    this.#head.lookUp();
    for (const end = Date.now() + CANCEL_MS; Date.now() < end; await delay(CANCEL_POLL_MS)) {
      const now = await this.#queue.getJob(job.id!);
      if (!now || now.returnvalue?.outcome === "cancelled") return true;
      if (isFinished(now)) break;
    }
    return false;
  }

  async #lookUp(job: Job<OutboxJob>, token: string): Promise<"ours" | "cancelled" | "lost"> {
    if (!this.options.exclusive && (await job.extendLock(token, LOCK_MS)) === 0) return "lost";
    const now = await this.#queue.getJob(job.id!);
    if (!now) return "lost";
    return now.data.cancelled ? "cancelled" : "ours";
  }

  async #trim(): Promise<void> {
    const { maxKept = MAX_KEPT } = this.options;
    const { completed = 0 } = await this.#queue.getJobCounts("completed");
    if (completed > maxKept) await this.#queue.clean(0, completed - maxKept, "completed");
  }
}

function isFinished(job: Job): boolean {
  return job.finishedOn !== undefined;
}

function progressOf(job: Job<OutboxJob, Ending>): Ending | "begun" | undefined {
  if (!isFinished(job)) return job.processedOn === undefined ? undefined : "begun";
  // The processor returns an ending for every case; `failedReason` is set only if the processor itself failed.
  return job.returnvalue ?? { outcome: "failed", at: job.finishedOn!, error: job.failedReason };
}
