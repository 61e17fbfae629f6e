/**
 * Ledgers of the delivery queues, updated by triggers on BullMQ's table in the transaction that adds or removes jobs.
 * Existing jobs are counted when a ledger is read.
 */
import type { SqlValue, Thread } from "../../bullmq-sqlite/index.ts";
import { LEDGER_QUEUES, type Ledger, type Ledgers } from "../store.ts";
import type { Database } from "./database.ts";

/** BullMQ's default prefix, before the name of each queue. */
export const PREFIX = "bull:";

/** Condition on `bullmq_queue`. */
export const HAS_LEDGER = `bullmq_queue.name GLOB '${PREFIX}${LEDGER_QUEUES}*'`;
const NAME = `substr(bullmq_queue.name, ${PREFIX.length + 1})`;

/** `succeeded` and `failed` count removed jobs only. The row with an empty name is the sum of all closed queues. */
const TABLE = `
CREATE TABLE causeway_ledger (
  queue TEXT PRIMARY KEY,
  enqueued INTEGER NOT NULL DEFAULT 0,
  succeeded INTEGER NOT NULL DEFAULT 0,
  failed INTEGER NOT NULL DEFAULT 0,
  discarded INTEGER NOT NULL DEFAULT 0
) WITHOUT ROWID;
INSERT INTO causeway_ledger (queue, enqueued)
  SELECT ${NAME}, count(*) FROM bullmq_job JOIN bullmq_queue ON bullmq_queue.id = queue WHERE ${HAS_LEDGER} GROUP BY queue`;

const TRIGGERS = `
CREATE TRIGGER IF NOT EXISTS causeway_job_added AFTER INSERT ON bullmq_job BEGIN
  INSERT INTO causeway_ledger (queue, enqueued) SELECT ${NAME}, 1 FROM bullmq_queue WHERE id = NEW.queue AND ${HAS_LEDGER}
    ON CONFLICT (queue) DO UPDATE SET enqueued = enqueued + 1;
END;
CREATE TRIGGER IF NOT EXISTS causeway_job_removed AFTER DELETE ON bullmq_job BEGIN
  UPDATE causeway_ledger SET
    succeeded = succeeded + (OLD.state = 'completed'),
    failed = failed + (OLD.state = 'failed'),
    discarded = discarded + (OLD.state NOT IN ('completed', 'failed'))
    WHERE queue = (SELECT ${NAME} FROM bullmq_queue WHERE id = OLD.queue AND ${HAS_LEDGER});
END`;

type Sums = [enqueued: number, succeeded: number, failed: number, discarded: number];
type Jobs = [completed: number, failed: number, all: number];

/** Counts ranges of the index, which takes a quarter of the time of grouping the jobs by state. */
function jobCounts(queues: string): string {
  const count = (jobs: string) => `(SELECT count(*) FROM bullmq_job WHERE queue = bullmq_queue.id ${jobs})`;
  return (
    `SELECT ${count("AND state = 'completed'")} AS completed, ${count("AND state = 'failed'")} AS failed, ` +
    `${count("")} AS jobs FROM bullmq_queue WHERE ${queues}`
  );
}

export function ledgerProcedures({ db }: Thread) {
  if (db.value("SELECT 1 FROM sqlite_schema WHERE name = 'causeway_ledger'") === undefined) {
    // One transaction: a ledger never begins without the jobs that existed before it.
    db.exec(`BEGIN; ${TABLE}; ${TRIGGERS}; COMMIT`);
  } else db.exec(TRIGGERS);

  const read = (ledgers: string, queues: string, params: SqlValue[]): Ledger => {
    const [enqueued, succeeded, failed, discarded] = db.row<Sums>(
      "SELECT coalesce(sum(enqueued), 0), coalesce(sum(succeeded), 0), coalesce(sum(failed), 0), " +
        `coalesce(sum(discarded), 0) FROM causeway_ledger ${ledgers}`,
      params,
    )!;
    const [completed, failedJobs, all] = db.row<Jobs>(
      `SELECT coalesce(sum(completed), 0), coalesce(sum(failed), 0), coalesce(sum(jobs), 0) FROM (${jobCounts(queues)})`,
      params.map((queue) => `${PREFIX}${queue}`),
    )!;
    return {
      enqueued,
      succeeded: succeeded + completed,
      failed: failed + failedJobs,
      waiting: all - completed - failedJobs,
      discarded,
    };
  };

  return {
    "ledgers.total": () => read("", HAS_LEDGER, []),
    "ledgers.of": (queue: string) => read("WHERE queue = ?", "name = ?", [queue]),
    "ledgers.queues": () => db.values<string>("SELECT queue FROM causeway_ledger WHERE queue <> ''"),
    "ledgers.close": (queue: string) => {
      const job = "SELECT 1 FROM bullmq_job WHERE queue = (SELECT id FROM bullmq_queue WHERE name = ?) LIMIT 1";
      if (db.value(job, [`${PREFIX}${queue}`]) !== undefined) return false;
      db.run(
        "INSERT INTO causeway_ledger SELECT '', enqueued, succeeded, failed, discarded FROM causeway_ledger " +
          "WHERE queue = ? ON CONFLICT (queue) DO UPDATE SET enqueued = enqueued + excluded.enqueued, " +
          "succeeded = succeeded + excluded.succeeded, failed = failed + excluded.failed, " +
          "discarded = discarded + excluded.discarded",
        [queue],
      );
      db.run("DELETE FROM causeway_ledger WHERE queue = ?", [queue]);
      return true;
    },
  };
}

export function sqliteLedgers(database: Database): Ledgers {
  return {
    total: () => database.call("ledgers.total"),
    of: (queue) => database.call("ledgers.of", queue),
    queues: () => database.call("ledgers.queues"),
    close: (queue) => database.call("ledgers.close", queue),
  };
}
