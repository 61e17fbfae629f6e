/**
 * Ledgers of the delivery queues, updated by triggers on BullMQ's table in the transaction that adds or removes jobs.
 * Existing jobs are counted when a ledger is read.
 */
import { LEDGER_QUEUES, type Ledger, type Ledgers } from "../store.ts";
import type { Database } from "./database.ts";

const HAS_LEDGER = `starts_with(queue, '${LEDGER_QUEUES}')`;
const WAITING = "state NOT IN ('completed', 'failed')";

/** `succeeded` and `failed` count removed jobs only. The row with an empty name is the sum of all closed queues. */
const TABLE = `
CREATE TABLE causeway.book (
  queue text COLLATE "C" PRIMARY KEY,
  enqueued bigint NOT NULL DEFAULT 0,
  succeeded bigint NOT NULL DEFAULT 0,
  failed bigint NOT NULL DEFAULT 0,
  discarded bigint NOT NULL DEFAULT 0
);
INSERT INTO causeway.book (queue, enqueued) SELECT queue, count(*) FROM bullmq.job WHERE ${HAS_LEDGER} GROUP BY queue`;

const TRIGGERS = `
CREATE OR REPLACE FUNCTION causeway.book_added() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  INSERT INTO causeway.book AS b (queue, enqueued)
    SELECT queue, count(*) FROM added WHERE ${HAS_LEDGER} GROUP BY queue
    ON CONFLICT (queue) DO UPDATE SET enqueued = b.enqueued + excluded.enqueued;
  RETURN NULL;
END $$;
CREATE OR REPLACE FUNCTION causeway.book_removed() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
  UPDATE causeway.book b
    SET succeeded = b.succeeded + r.succeeded, failed = b.failed + r.failed, discarded = b.discarded + r.discarded
    FROM (
      SELECT queue,
        count(*) FILTER (WHERE state = 'completed') AS succeeded,
        count(*) FILTER (WHERE state = 'failed') AS failed,
        count(*) FILTER (WHERE ${WAITING}) AS discarded
      FROM removed GROUP BY queue
    ) r
    WHERE b.queue = r.queue;
  RETURN NULL;
END $$;
CREATE OR REPLACE TRIGGER causeway_book_added AFTER INSERT ON bullmq.job
  REFERENCING NEW TABLE AS added FOR EACH STATEMENT EXECUTE FUNCTION causeway.book_added();
CREATE OR REPLACE TRIGGER causeway_book_removed AFTER DELETE ON bullmq.job
  REFERENCING OLD TABLE AS removed FOR EACH STATEMENT EXECUTE FUNCTION causeway.book_removed()`;

/** Reads all figures in one statement, so that they belong to one snapshot. */
const sum = (books: string, jobs: string) => `
WITH there AS (SELECT state, count(*) AS n FROM bullmq.job WHERE ${jobs} GROUP BY state)
SELECT coalesce(sum(enqueued), 0) AS enqueued,
  coalesce(sum(succeeded), 0) + (SELECT coalesce(sum(n), 0) FROM there WHERE state = 'completed') AS succeeded,
  coalesce(sum(failed), 0) + (SELECT coalesce(sum(n), 0) FROM there WHERE state = 'failed') AS failed,
  (SELECT coalesce(sum(n), 0) FROM there WHERE ${WAITING}) AS waiting,
  coalesce(sum(discarded), 0) AS discarded
FROM causeway.book WHERE ${books}`;

const TOTAL = sum("true", HAS_LEDGER);
const OF = sum("queue = $1", "queue = $1");

const CLOSE = `
WITH gone AS (
  DELETE FROM causeway.book
    WHERE queue = $1 AND NOT EXISTS (SELECT 1 FROM bullmq.job WHERE queue = $1)
    RETURNING enqueued, succeeded, failed, discarded
), closed AS (
  INSERT INTO causeway.book AS b (queue, enqueued, succeeded, failed, discarded) SELECT '', gone.* FROM gone
  ON CONFLICT (queue) DO UPDATE SET enqueued = b.enqueued + excluded.enqueued,
    succeeded = b.succeeded + excluded.succeeded, failed = b.failed + excluded.failed,
    discarded = b.discarded + excluded.discarded
)
SELECT NOT EXISTS (SELECT 1 FROM bullmq.job WHERE queue = $1) AS closed`;

/** Creates the ledgers. BullMQ's tables must exist. */
export async function embeddedLedgers(database: Database): Promise<Ledgers> {
  const { rows } = await database.query<{ there: boolean }>("SELECT to_regclass('causeway.book') IS NOT NULL AS there");
  // Several statements in one text are one transaction: a ledger never begins without the jobs that existed before it.
  await database.query(rows[0]!.there ? TRIGGERS : `${TABLE}; ${TRIGGERS}`);
  const read = async (sql: string, params: string[]) => {
    const { rows } = await database.query<Record<keyof Ledger, string>>(sql, params);
    return Object.fromEntries(Object.entries(rows[0]!).map(([column, n]) => [column, Number(n)])) as unknown as Ledger;
  };
  return {
    total: () => read(TOTAL, []),
    of: (queue) => read(OF, [queue]),
    async queues() {
      const { rows } = await database.query<{ queue: string }>("SELECT queue FROM causeway.book WHERE queue <> ''");
      return rows.map(({ queue }) => queue);
    },
    async close(queue) {
      const { rows } = await database.query<{ closed: boolean }>(CLOSE, [queue]);
      return rows[0]!.closed;
    },
  };
}
