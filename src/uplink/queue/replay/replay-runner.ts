/**
 * Runs replays in the background. Each one is a record of its progress and a job in a shared queue, which any instance
 * processes, also after the death of another one. Deliveries that were replayed but not recorded are then examined
 * again: they have left the replayed state, or are replayed a second time, which is harmless.
 */
import type { Job, Queue, Worker } from "bullmq";
import { InvalidField } from "../delivery-filter.ts";
import { DeliveryQueue, postpone } from "../delivery-queue.ts";
import type { DeliveryJob } from "../job.ts";
import { enqueueAgain } from "../redelivery.ts";
import {
  advance,
  cancel,
  finish,
  leftToDo,
  newReplay,
  type Replay,
  type ReplayInput,
  type ReplayRecord,
  stateOf,
  toReplay,
} from "./replay.ts";

interface VersionedRecord<T> {
  id: string;
  value: T;
  version: number;
}

/** Port to records in the store. */
export interface ReplayRecords<T> {
  get(id: string): Promise<VersionedRecord<T> | undefined>;
  all(): Promise<VersionedRecord<T>[]>;
  create(id: string, value: T): Promise<boolean>;
  replace(id: string, value: T, version: number): Promise<boolean>;
  remove(id: string): Promise<boolean>;
}

export interface ReplaysOptions {
  records: ReplayRecords<ReplayRecord>;
  /** Running replay per webhook, one at a time. */
  running: ReplayRecords<{ replayId: string }>;
  openQueue(name: string): Queue<object>;
  openWorker(name: string, processor: (job: Job<object>, token?: string) => Promise<unknown>, options: object): Worker;
  exists(webhookId: string): boolean;
  /** Opens a separate queue object: BullMQ's calls on a queue that is closed elsewhere may never settle. */
  openDeliveries(webhookId: string): Queue<DeliveryJob>;
  onFailed(error: Error): void;
  /** For tests. */
  step?: number;
}

const QUEUE = "replays";
/** Deliveries replayed between two reads of the record; a cancellation may come too late for them. */
const STEP = 50;
/** Retention of ended replays, by age and number. */
const KEEP_MS = 24 * 3_600_000;
const MAX_KEPT = 1_000;
const SWEEP_MS = 60_000;
/** A replay that still lacks its job after this time was left by a process that died between the two writes. */
const ORPHAN_MS = 30_000;
const JOB = {
  attempts: 1_000_000,
  backoff: { type: "fixed", delay: 1_000 },
  stackTraceLimit: 1,
  removeOnComplete: true,
  removeOnFail: true,
};
/** When a process dies, its replays continue after at most `lockDuration` plus twice `stalledInterval`. */
const WORKER = { concurrency: 2, lockDuration: 10_000, stalledInterval: 2_500, maxStalledCount: 1_000_000 };

export class Replays {
  readonly #step: number;
  #queue: Queue<object> | undefined;
  #worker: Worker | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopping = false;

  constructor(private readonly options: ReplaysOptions) {
    this.#step = options.step ?? STEP;
  }

  /** @param work false: replays can be started, read and cancelled here, and other instances run them */
  start(work = true): void {
    const { openQueue, openWorker, onFailed } = this.options;
    this.#queue = openQueue(QUEUE);
    if (!work) return;
    this.#worker = openWorker(QUEUE, (job, token) => this.#run(job, token), WORKER);
    this.#worker.on("failed", (_job, error) => onFailed(error));
    this.#timer = setInterval(() => void this.#sweep().catch(onFailed), SWEEP_MS).unref();
  }

  /** Returns running replays to the queue; another instance continues them, or this one after its next start. */
  async stop(): Promise<void> {
    this.#stopping = true;
    clearInterval(this.#timer);
    await this.#worker?.close();
    await this.#queue?.close();
  }

  /** @returns `other_running` while another replay of the webhook is running */
  async begin(webhookId: string, input: ReplayInput): Promise<Replay | "other_running" | InvalidField> {
    const { records, running } = this.options;
    const replay = newReplay(webhookId, input, Date.now());
    if (replay instanceof InvalidField) return replay;
    const { id, record } = replay;
    record.count = await this.#count(record);
    // In this order: a crash then leaves a record, which the sweep finds.
    await records.create(id, record);
    if (!(await running.create(webhookId, { replayId: id }))) {
      await records.remove(id);
      return "other_running";
    }
    await this.#enqueue(id);
    return toReplay(id, record);
  }

  /** Returns the number of deliveries that the same replay would begin with. Reads their ids, and changes nothing. */
  async count(webhookId: string, input: ReplayInput): Promise<number | InvalidField> {
    const replay = newReplay(webhookId, input, Date.now());
    return replay instanceof InvalidField ? replay : this.#count(replay.record);
  }

  #count(record: ReplayRecord): Promise<number> {
    return this.#withQueue(record, async (queue) => (await idsIn(queue, record)).length);
  }

  async get(webhookId: string, id: string): Promise<Replay | "not_found"> {
    const found = await this.#find(webhookId, id);
    return found ? toReplay(id, found.value) : "not_found";
  }

  /** @returns the state in which the replay was found; only a running one is cancelled */
  async cancel(webhookId: string, id: string): Promise<Replay["state"] | "not_found"> {
    for (;;) {
      const found = await this.#find(webhookId, id);
      if (!found) return "not_found";
      const { value, version } = found;
      const cancelled = cancel(value, Date.now());
      if (!cancelled) return value.state;
      if (!(await this.options.records.replace(id, cancelled, version))) continue;
      await this.#free(webhookId, id);
      return "running";
    }
  }

  async #find(webhookId: string, id: string): Promise<VersionedRecord<ReplayRecord> | undefined> {
    const found = await this.options.records.get(id);
    return found?.value.webhookId === webhookId ? found : undefined;
  }

  async #run(job: Job<object>, token: string | undefined): Promise<void> {
    const found = await this.options.records.get(job.id!);
    if (found) await this.#withQueue(found.value, (queue) => this.#runOn(queue, job, token));
  }

  async #runOn(queue: DeliveryQueue, job: Job<object>, token: string | undefined): Promise<void> {
    const { records } = this.options;
    const id = job.id!;
    // Read once: deliveries that end during the replay are not part of it.
    let ids: string[] | undefined;
    for (;;) {
      if (this.#stopping) throw await postpone(job, token, 0);
      const found = await records.get(id);
      if (!found) return;
      const { value: record, version } = found;
      ids ??= await idsIn(queue, record);
      const next = record.state === "running" ? await this.#advance(queue, record, ids) : record;
      // A failed write means that the replay was cancelled or that another instance runs it too: read it again.
      if (next !== record && !(await records.replace(id, next, version))) continue;
      if (next.state === "running") continue;
      await this.#free(record.webhookId, id);
      return;
    }
  }

  async #advance(queue: DeliveryQueue, record: ReplayRecord, all: string[]): Promise<ReplayRecord> {
    if (!this.options.exists(record.webhookId)) return cancel(record, Date.now()) ?? record;
    const ids = leftToDo(all, record).slice(0, this.#step);
    if (ids.length === 0) return finish(record, Date.now());
    const jobs = await Promise.all(ids.map((id) => queue.get(id)));
    let made = 0;
    // One after the other, to keep the order of receipt in the queue.
    for (const job of jobs) {
      if (!job) made++;
      else if ((job.finishedOn ?? 0) > record.createdAt) continue;
      else if (await enqueueAgain(queue, job, stateOf(record), false)) made++;
    }
    return advance(record, ids, made);
  }

  async #withQueue<T>({ webhookId }: ReplayRecord, use: (queue: DeliveryQueue) => Promise<T>): Promise<T> {
    const queue = new DeliveryQueue(this.options.openDeliveries(webhookId));
    try {
      return await use(queue);
    } finally {
      await queue.close().catch(() => undefined);
    }
  }

  /** Adds the job of a replay; harmless if it exists. */
  async #enqueue(id: string): Promise<void> {
    await this.#queue!.add(QUEUE, {}, { ...JOB, jobId: id });
  }

  /** Allows the webhook another replay. */
  async #free(webhookId: string, id: string): Promise<void> {
    const { running } = this.options;
    const found = await running.get(webhookId);
    if (found?.value.replayId === id) await running.remove(webhookId);
  }

  /** Repairs replays after crashes, and removes those that ended long ago. */
  async #sweep(): Promise<void> {
    const { records, running } = this.options;
    const all = await records.all();
    const now = Date.now();
    for (const { id, value } of all) {
      if (value.state !== "running" || now - value.createdAt < ORPHAN_MS) continue;
      const holder = (await running.get(value.webhookId))?.value.replayId;
      if (holder === id) await this.#enqueue(id);
      else await records.remove(id); // it never started
    }
    for (const { id, value } of await running.all()) {
      const state = all.find((each) => each.id === value.replayId)?.value.state;
      if (state === "finished" || state === "cancelled") await this.#free(id, value.replayId);
    }
    const ended = all.filter(({ value }) => value.state !== "running");
    for (const [i, { id, value }] of ended.entries()) {
      if (i < ended.length - MAX_KEPT || now - value.finishedAt! > KEEP_MS) await records.remove(id);
    }
  }
}

/** Ids of the deliveries left to replay. */
async function idsIn(queue: DeliveryQueue, record: ReplayRecord): Promise<string[]> {
  return leftToDo(await queue.ids(stateOf(record)), record);
}
