import type { DependenciesOpts, JobJson, JobState, JobType } from "bullmq";
import { BackendBase } from "./backend-base.ts";
import { toJobJson } from "./job-json.ts";
import type { Dependency, Status } from "./procedures/dependencies.ts";
import type { JobRow } from "./procedures/job-row.ts";

type Children = {
  processed?: Record<string, unknown>;
  unprocessed?: string[];
  ignored?: Record<string, string>;
  failed?: string[];
};

const DEFAULT_PAGE = 20;

/** BullMQ's names of the kinds of children. */
const STATUS: Record<string, Status> = {
  processed: "processed",
  unprocessed: "pending",
  ignored: "ignored",
  failed: "failed",
};

/** Everything that only reads. */
export class BackendReads extends BackendBase {
  getState(jobId: string): Promise<JobState | "unknown"> {
    return this.call("state", jobId);
  }

  async isFinished(jobId: string, returnValue?: boolean): Promise<number | [number, string]> {
    const row = await this.call<[string, string | null, string | null] | undefined>("result", jobId);
    if (!row) return returnValue ? [-1, `Missing key for job ${this.toKey(jobId)}. isFinished`] : -1;
    const [state, result, reason] = row;
    const status = state === "completed" ? 1 : state === "failed" ? 2 : 0;
    if (!returnValue) return status;
    return status === 0 ? ([0] as unknown as [number, string]) : [status, (status === 1 ? result : reason) ?? ""];
  }

  isMaxed(): Promise<boolean> {
    return this.call("isMaxed");
  }

  async isJobInState(state: string, jobId: string): Promise<boolean> {
    return (await this.getState(jobId)) === (state === "wait" ? "waiting" : state);
  }

  async getJobData(jobId: string): Promise<JobJson | undefined> {
    const row = await this.call<JobRow | undefined>("job", jobId);
    return row && toJobJson(row);
  }

  getDeduplicationJobId(deduplicationId: string): Promise<string | null> {
    return this.call("deduplicationJob", deduplicationId);
  }

  getJobLogs(jobId: string, start: number, end: number, asc: boolean): Promise<{ logs: string[]; count: number }> {
    return this.call("logs", jobId, start, end, asc);
  }

  getRateLimitTtl(maxJobs?: number): Promise<number> {
    return this.call("limitTtl", maxJobs ?? null);
  }

  getCounts(types: JobType[], delayedTimestamp?: number): Promise<number[]> {
    return this.call("counts", types, delayedTimestamp ?? null);
  }

  getCountsPerPriority(priorities: number[]): Promise<number[]> {
    return this.call("countsPerPriority", priorities);
  }

  getRanges(types: JobType[], start = 0, end = 1, asc = false): Promise<[string][]> {
    return this.call("ranges", types, start, end, asc);
  }

  getMetrics(type: "completed" | "failed", start = 0, end = -1): Promise<[string[], string[], number]> {
    return this.call("metrics", type, start, end);
  }

  getDependencyCounts(jobId: string, types: string[]): Promise<number[]> {
    return this.call(
      "dependencyCounts",
      jobId,
      types.map((type) => STATUS[type] ?? "failed"),
    );
  }

  async getDependencies(jobId: string, opts: DependenciesOpts = {}) {
    const all = !opts.processed && !opts.unprocessed && !opts.ignored && !opts.failed;
    const result: Children & Record<string, unknown> = {};
    for (const kind of ["processed", "unprocessed", "ignored", "failed"] as const) {
      const page = opts[kind];
      if (!all && !page) continue;
      const { cursor = 0, count = DEFAULT_PAGE } = page ?? {};
      const offset = all ? 0 : cursor;
      const found = await this.call<Dependency[]>("dependencies", jobId, STATUS[kind], offset, all ? -1 : count);
      result[kind] = shape(kind, found) as never;
      const nextCursor = `next${kind[0]!.toUpperCase()}${kind.slice(1)}Cursor`;
      if (!all) result[nextCursor] = found.length < count ? 0 : cursor + count;
    }
    return result;
  }

  async getProcessedChildrenValues(jobId: string): Promise<Record<string, string>> {
    return Object.fromEntries(await this.call<[string, string][]>("dependencies", jobId, "processed", 0, -1));
  }

  async getIgnoredChildrenFailures(jobId: string): Promise<Record<string, string>> {
    return Object.fromEntries(await this.call<[string, string][]>("dependencies", jobId, "ignored", 0, -1));
  }

  /** Pages through the pending or processed children of a job; `key` names the job and which ones. */
  async paginate(key: string, opts: { start: number; end: number; fetchJobs?: boolean }) {
    const match = /^(.*):(processed|dependencies)$/.exec(key.slice(this.qualifiedName.length + 1));
    if (!match) throw new Error("Pagination is only supported for the children of a job.");
    const status: Status = match[2] === "processed" ? "processed" : "pending";
    const limit = opts.end < 0 ? -1 : opts.end - opts.start + 1;
    type Page = { children: Dependency[]; jobs: JobRow[]; total: number };
    const page = await this.call<Page>("dependencyPage", match[1], status, opts.start, limit);
    const items = page.children.map(([id, value]) => (status === "processed" ? { id, ...parsed(value) } : { id }));
    return { cursor: "0", items, total: page.total, jobs: opts.fetchJobs ? page.jobs.map(toJobJson) : [] };
  }

  /** Lists workers and `QueueEvents` of this process in the form of Redis' CLIENT LIST. */
  async getClientList(): Promise<string[]> {
    return [[...this.connection.clients.values()].map((name) => `name=${name}`).join("\n")];
  }

  getQueueMeta(): Promise<Record<string, string>> {
    return this.call("meta");
  }

  async getQueueMetaField(field: string): Promise<string | null> {
    return (await this.getQueueMeta())[field] ?? null;
  }

  async getQueueMetaFields(fields: string[]): Promise<(string | null)[]> {
    const meta = await this.getQueueMeta();
    return fields.map((field) => meta[field] ?? null);
  }

  async hasQueueMetaField(field: string): Promise<boolean> {
    return (await this.getQueueMeta())[field] !== undefined;
  }

  async getJobScheduler(id: string): Promise<[string[] | null, string | null]> {
    const scheduler = await this.#scheduler(id);
    return scheduler ? [Object.entries(scheduler.fields).flat(), String(scheduler.nextRun)] : [null, null];
  }

  async isJobScheduler(id: string): Promise<boolean> {
    return (await this.#scheduler(id)) !== null;
  }

  async getJobSchedulerData(key: string): Promise<Record<string, string>> {
    return (await this.#scheduler(key))?.fields ?? {};
  }

  async getJobSchedulersRange(start: number, end: number, asc: boolean): Promise<string[]> {
    return (await this.call<[string, number][]>("schedulers", start, end, asc)).flat().map(String);
  }

  getJobSchedulersCount(): Promise<number> {
    return this.call("schedulerCount");
  }

  #scheduler(id: string): Promise<{ nextRun: number; fields: Record<string, string> } | null> {
    return this.call("scheduler", id);
  }
}

function shape(kind: keyof Children, found: Dependency[]): Children[keyof Children] {
  if (kind === "unprocessed" || kind === "failed") return found.map(([child]) => child);
  return Object.fromEntries(
    found.map(([child, value]) => [child, kind === "processed" ? JSON.parse(value ?? "null") : value]),
  );
}

function parsed(value: string | null): { v?: unknown; err?: string } {
  try {
    return { v: JSON.parse(value ?? "null") };
  } catch (error) {
    return { err: error instanceof Error ? error.message : String(error) };
  }
}
