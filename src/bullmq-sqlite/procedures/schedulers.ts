import type { Adding } from "./add.ts";
import { Code, type Context } from "./context.ts";
import type { QueueState } from "./queues.ts";
import type { Removal } from "./remove.ts";
import { nextRun } from "./schedule.ts";

/** Options of a job scheduler, as BullMQ's `RepeatableOptions`. */
export interface SchedulerOptions {
  name: string;
  tz?: string;
  limit?: number;
  pattern?: string;
  startDate?: number;
  endDate?: number;
  every?: number;
  offset?: number;
}

/** Options of the job of one run; the other ones pass through. */
export interface RunOptions {
  priority?: number;
  lifo?: boolean;
  delay?: number;
  jobId?: string;
  repeat?: { offset?: number; every?: number };
  [option: string]: unknown;
}

type Fields = Record<string, string>;

const STORED = ["tz", "limit", "pattern", "startDate", "endDate", "every", "offset"] as const;
/** Following runs of `every` that are tried if a job with the id of a run exists. */
const MAX_SLOTS = 32;

/** Job schedulers: each has one waiting or delayed job, its next run, named `repeat:<id>:<time>`. */
export function schedulerProcedures(context: Context, adding: Adding, removal: Removal) {
  const { db, queues, jobs, events } = context;

  const find = (queue: QueueState, id: string): { nextRun: number; fields: Fields } | undefined => {
    const sql = "SELECT next_run, fields FROM bullmq_scheduler WHERE queue = ? AND id = ?";
    const row = db.row<[number, string]>(sql, [queue.id, id]);
    return row && { nextRun: row[0], fields: JSON.parse(row[1]) as Fields };
  };
  const store = (queue: QueueState, id: string, next: number, fields: Fields) =>
    db.run("INSERT OR REPLACE INTO bullmq_scheduler VALUES (?, ?, ?, ?)", [queue.id, id, next, JSON.stringify(fields)]);
  const addRun = (
    queue: QueueState,
    id: string,
    run: number,
    name: string,
    data: string,
    opts: RunOptions,
    now: number,
  ) => {
    const jobId = `repeat:${id}:${run}`;
    const delay = Math.max(0, run - now);
    adding.add(queue, {
      id: jobId,
      name,
      data,
      opts: JSON.stringify({ ...opts, delay, jobId }),
      timestamp: now,
      delay,
      priority: opts.priority ?? 0,
      lifo: opts.lifo ?? false,
      schedulerId: id,
    });
    return jobId;
  };

  return {
    /** Returns id and delay of the next run, or a negative code. */
    "bullmq.addScheduler": (
      name: string,
      id: string,
      nextMillis: number,
      data: string,
      templateOpts: string,
      options: SchedulerOptions,
      runOptions: RunOptions,
      now: number,
    ): [string, number] | number => {
      const queue = queues.get(name);
      const previous = find(queue, id);
      const { every } = options;
      let run = nextMillis;
      let offset = options.offset ?? runOptions.repeat?.offset ?? 0;
      const sameInterval = every !== undefined && Number(previous?.fields.every) === every;
      if (every !== undefined) {
        const from = sameInterval ? previous?.nextRun : undefined;
        [run, offset] = nextRun({ previous: from, every, now, offset, startDate: options.startDate });
      }
      const pending = previous && jobs.find(queue, `repeat:${id}:${previous.nextRun}`);
      const replaced = pending && ["delayed", "prioritized", "waiting"].includes(pending.state);
      if (replaced) {
        removal.discard(queue, pending, true);
        if (sameInterval) run = previous.nextRun;
      }
      const stored: SchedulerOptions = replaced ? options : { ...options, offset };
      const exists = () => jobs.find(queue, `repeat:${id}:${run}`) !== undefined;
      if (exists() && every === undefined && !replaced) return Code.schedulerCollision;
      for (let slot = 0; every !== undefined && exists(); slot += 1) {
        if (slot === MAX_SLOTS) return Code.schedulerBusy;
        run += every;
      }
      store(queue, id, run, schedulerFields(stored, data, templateOpts, previous?.fields));
      return [addRun(queue, id, run, options.name, data, runOptions, now), Math.max(0, run - now)];
    },

    /** Adds the run after the one of the job `producerId`. Returns its id, or null if that job is not the current run. */
    "bullmq.continueScheduler": (
      name: string,
      id: string,
      nextMillis: number,
      runOptions: RunOptions,
      producerId: string | null,
      now: number,
    ): string | null => {
      const queue = queues.get(name);
      const current = find(queue, id);
      if (!current || producerId !== `repeat:${id}:${current.nextRun}`) return null;
      const { fields } = current;
      const every = Number(fields.every ?? runOptions.repeat?.every ?? 0);
      let run = nextMillis;
      if (every > 0) {
        const offset = Number(fields.offset ?? runOptions.repeat?.offset ?? 0);
        [run] = nextRun({ previous: current.nextRun, every, now, offset });
      }
      if (jobs.find(queue, `repeat:${id}:${run}`)) {
        events.add(queue, "duplicated", { jobId: `repeat:${id}:${run}` });
        return null;
      }
      store(queue, id, run, { ...fields, ic: String(Number(fields.ic ?? 0) + 1) });
      return addRun(queue, id, run, fields.name ?? "", fields.data ?? "{}", runOptions, now);
    },

    /** Returns 0 if the scheduler was removed, 1 if there is none. */
    "bullmq.removeScheduler": (name: string, id: string) => {
      const queue = queues.get(name);
      const scheduler = find(queue, id);
      if (!scheduler) return 1;
      const job = jobs.find(queue, `repeat:${id}:${scheduler.nextRun}`);
      if (job?.state === "delayed") {
        jobs.delete(queue, job);
        events.add(queue, "removed", { jobId: job.id, prev: "delayed" });
      }
      db.run("DELETE FROM bullmq_scheduler WHERE queue = ? AND id = ?", [queue.id, id]);
      return 0;
    },

    "bullmq.scheduler": (name: string, id: string) => find(queues.get(name), id) ?? null,

    "bullmq.schedulers": (name: string, start: number, end: number, asc: boolean) => {
      const all = db.rows<[string, number]>(
        `SELECT id, next_run FROM bullmq_scheduler WHERE queue = ? ORDER BY next_run ${asc ? "" : "DESC"}`,
        [queues.get(name).id],
      );
      const last = end < 0 ? all.length + end : end;
      return all.slice(start < 0 ? Math.max(0, all.length + start) : start, last + 1);
    },

    "bullmq.schedulerCount": (name: string) =>
      db.value<number>("SELECT count(*) FROM bullmq_scheduler WHERE queue = ?", [queues.get(name).id])!,
  };
}

function schedulerFields(options: SchedulerOptions, data: string, templateOpts: string, previous?: Fields): Fields {
  const fields: Fields = { name: options.name };
  for (const field of STORED) {
    const value = options[field];
    if (value) fields[field] = String(value);
  }
  if (!fields.offset && previous?.offset) fields.offset = previous.offset;
  if (templateOpts !== "{}") fields.opts = templateOpts;
  if (data && data !== "{}") fields.data = data;
  fields.ic = previous?.ic ?? "1";
  return fields;
}
