import type { Thread } from "../engine/thread.ts";

/** Number of the tables' layout, kept in `bullmq_property`. */
const LAYOUT = 1;

/**
 * Tables of all queues. `rank` orders the jobs of one state and is the index from which they are taken and listed:
 * waiting: order of taking · prioritized: priority, then arrival · delayed: due time · active: order of taking ·
 * completed, failed: time of finishing · waiting-children: time of waiting.
 */
const TABLES = `
CREATE TABLE IF NOT EXISTS bullmq_property (name TEXT PRIMARY KEY, value) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS bullmq_queue (
  id INTEGER PRIMARY KEY,
  name TEXT NOT NULL UNIQUE,
  meta TEXT NOT NULL DEFAULT '{}',
  job_counter INTEGER NOT NULL DEFAULT 0,
  limit_count INTEGER NOT NULL DEFAULT 0,
  limit_until INTEGER NOT NULL DEFAULT 0
);

CREATE TABLE IF NOT EXISTS bullmq_job (
  seq INTEGER PRIMARY KEY,
  queue INTEGER NOT NULL,
  id TEXT NOT NULL,
  state TEXT NOT NULL,
  rank INTEGER NOT NULL,
  name TEXT NOT NULL,
  opts TEXT NOT NULL,
  timestamp INTEGER NOT NULL,
  delay INTEGER NOT NULL DEFAULT 0,
  priority INTEGER NOT NULL DEFAULT 0,
  progress TEXT,
  attempts_started INTEGER NOT NULL DEFAULT 0,
  attempts_made INTEGER NOT NULL DEFAULT 0,
  stalled_counter INTEGER NOT NULL DEFAULT 0,
  processed_on INTEGER,
  finished_on INTEGER,
  processed_by TEXT,
  lock_token TEXT,
  lock_until INTEGER NOT NULL DEFAULT 0,
  stalled INTEGER NOT NULL DEFAULT 0,
  log_count INTEGER NOT NULL DEFAULT 0,
  has_children INTEGER NOT NULL DEFAULT 0,
  deduplication_id TEXT,
  scheduler_id TEXT,
  parent_key TEXT,
  parent TEXT,
  deferred_failure TEXT,
  failed_reason TEXT,
  stacktrace TEXT,
  return_value TEXT,
  data TEXT NOT NULL
);
CREATE UNIQUE INDEX IF NOT EXISTS bullmq_job_id ON bullmq_job (queue, id);
CREATE INDEX IF NOT EXISTS bullmq_job_rank ON bullmq_job (queue, state, rank);

CREATE TABLE IF NOT EXISTS bullmq_log (
  job INTEGER NOT NULL, n INTEGER NOT NULL, line TEXT NOT NULL, PRIMARY KEY (job, n)
) WITHOUT ROWID;

-- status: pending, processed (value: the child's result), ignored (value: the reason), failed.
CREATE TABLE IF NOT EXISTS bullmq_dependency (
  parent INTEGER NOT NULL, child TEXT NOT NULL, status TEXT NOT NULL, value TEXT, PRIMARY KEY (parent, child)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bullmq_dependency_status ON bullmq_dependency (parent, status);

CREATE TABLE IF NOT EXISTS bullmq_deduplication (
  queue INTEGER NOT NULL, id TEXT NOT NULL, job_id TEXT NOT NULL, until INTEGER, next TEXT, PRIMARY KEY (queue, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bullmq_deduplication_until ON bullmq_deduplication (until) WHERE until IS NOT NULL;

CREATE TABLE IF NOT EXISTS bullmq_scheduler (
  queue INTEGER NOT NULL, id TEXT NOT NULL, next_run INTEGER NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (queue, id)
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS bullmq_scheduler_next ON bullmq_scheduler (queue, next_run);

CREATE TABLE IF NOT EXISTS bullmq_metric (
  queue INTEGER NOT NULL, kind TEXT NOT NULL,
  count INTEGER NOT NULL, previous_on INTEGER NOT NULL, previous_count INTEGER NOT NULL, PRIMARY KEY (queue, kind)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS bullmq_metric_point (
  queue INTEGER NOT NULL, kind TEXT NOT NULL, n INTEGER NOT NULL, value INTEGER NOT NULL, PRIMARY KEY (queue, kind, n)
) WITHOUT ROWID;

CREATE TABLE IF NOT EXISTS bullmq_event (
  queue INTEGER NOT NULL, n INTEGER NOT NULL, fields TEXT NOT NULL, PRIMARY KEY (queue, n)
) WITHOUT ROWID;
`;

export function createTables({ db }: Thread): void {
  db.exec("BEGIN IMMEDIATE");
  try {
    db.exec(TABLES);
    db.run("INSERT INTO bullmq_property VALUES ('layout', ?) ON CONFLICT DO NOTHING", [LAYOUT]);
    const layout = db.value<number>("SELECT value FROM bullmq_property WHERE name = 'layout'");
    if (layout !== LAYOUT) throw new Error(`The tables have layout ${layout}; this version reads layout ${LAYOUT}.`);
    db.exec("COMMIT");
  } catch (error) {
    if (db.inTransaction) db.exec("ROLLBACK");
    throw error;
  }
}
