import type { Database } from "../engine/database.ts";
import type { Thread } from "../engine/thread.ts";
import { Events } from "./events.ts";
import { Jobs } from "./jobs.ts";
import { Parents } from "./parents.ts";
import { Queues } from "./queues.ts";
import { Sequence } from "./sequence.ts";
import { Signals } from "./signals.ts";

/** Objects shared by the groups of procedures. */
export interface Context {
  db: Database;
  queues: Queues;
  events: Events;
  signals: Signals;
  jobs: Jobs;
  parents: Parents;
}

export function createContext(thread: Thread): Context {
  const queues = new Queues(thread);
  const events = new Events(thread);
  const signals = new Signals(thread);
  const jobs = new Jobs(thread, queues, events, signals, new Sequence(thread));
  return { db: thread.db, queues, events, signals, jobs, parents: new Parents(jobs, queues, events) };
}

/** Negative results of procedures, as BullMQ's `ErrorCode`. */
export const Code = {
  missing: -1,
  noLock: -2,
  wrongState: -3,
  pendingChildren: -4,
  missingParent: -5,
  otherLock: -6,
  otherParent: -7,
  scheduled: -8,
  failedChildren: -9,
  schedulerCollision: -10,
  schedulerBusy: -11,
} as const;
