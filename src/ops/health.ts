/**
 * `/readyz`: whether broker, store and *consumption* work. A connection is not enough: a queue worker can stop
 * consuming permanently while its connection is fine, so a canary job must pass through the store.
 */
import type { Queue, Worker } from "bullmq";
import { withDeadline } from "../lib/deadline.ts";
import { reasonOf } from "../security/redaction.ts";

export interface Check {
  ok: boolean;
  /** Reason of a failure, in plain words. */
  detail?: string;
}

export interface Readiness {
  status: "ready" | "unavailable";
  checks: Record<string, Check>;
}

/** Each probe must finish within the timeout; otherwise it counts as failed. */
export type Probes = Record<string, () => Check | Promise<Check>>;

const PROBE_MS = 2_000;
/** Minimum interval between two runs of the probes, regardless of the calls of `/readyz`. */
const REUSE_MS = 200;

export function createReadiness(probes: Probes): () => Promise<Readiness> {
  let last: { at: number; readiness: Promise<Readiness> } | undefined;
  return () => {
    if (!last || Date.now() - last.at > REUSE_MS) last = { at: Date.now(), readiness: probeAll(probes) };
    return last.readiness;
  };
}

async function probeAll(probes: Probes): Promise<Readiness> {
  const entries = await Promise.all(
    Object.entries(probes).map(async ([name, probe]) => [name, await check(probe)] as const),
  );
  const ready = entries.every(([, { ok }]) => ok);
  return { status: ready ? "ready" : "unavailable", checks: Object.fromEntries(entries) };
}

async function check(probe: () => Check | Promise<Check>): Promise<Check> {
  const late = () => new Error(`no answer within ${PROBE_MS / 1000} s`);
  try {
    return await withDeadline(Promise.resolve(probe()), PROBE_MS, late);
  } catch (error) {
    return { ok: false, detail: reasonOf(error) };
  }
}

const CANARY = "canary";
const KEEP_CANARIES = { count: 1, age: 60 };

/** The queues of the store. */
export interface CanaryQueues {
  queue(name: string): Queue;
  worker(name: string, processor: () => Promise<void>, options: object): Worker;
}

/** A dedicated queue and worker: a probe adds a job and waits until the worker has completed it. */
export class Canary {
  /** One queue per instance; otherwise one instance could process another's job. */
  readonly #name = `${CANARY}-${process.pid}-${Math.random().toString(36).slice(2, 8)}`;
  readonly #seen = new Map<string, () => void>();
  #queue: Queue | undefined;
  #worker: Worker | undefined;
  #counter = 0;

  constructor(private readonly queues: CanaryQueues) {}

  start(): void {
    this.#queue = this.queues.queue(this.#name);
    this.#worker = this.queues.worker(this.#name, async () => {}, {
      removeOnComplete: KEEP_CANARIES,
      removeOnFail: KEEP_CANARIES,
    });
    this.#worker.on("completed", (job) => this.#seen.get(job.id ?? "")?.());
  }

  async probe(): Promise<Check> {
    if (!this.#queue) return { ok: false, detail: "not started yet" };
    const id = `c${Date.now()}-${this.#counter++}`;
    const done = new Promise<Check>((resolve) => this.#seen.set(id, () => resolve({ ok: true })));
    const forget = setTimeout(() => this.#seen.delete(id), PROBE_MS);
    try {
      await this.#queue.add(CANARY, {}, { jobId: id });
      return await done;
    } finally {
      this.#seen.delete(id);
      clearTimeout(forget);
    }
  }

  async stop(): Promise<void> {
    await this.#worker?.close().catch(() => undefined);
    await this.#queue?.obliterate({ force: true }).catch(() => undefined);
    await this.#queue?.close().catch(() => undefined);
  }
}
