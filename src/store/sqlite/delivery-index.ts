/**
 * Index of the delivery queues' jobs by time of receipt, with their topics: a table kept by triggers on BullMQ's, in the
 * transaction that adds or removes the job. A change of state does not touch it: the state is read from the job.
 */
import type { SqlValue, Thread } from "../../bullmq-sqlite/index.ts";
import { matcher } from "../../topic-index.ts";
import type { DeliveryIndex, IndexFilter, IndexSlice, IndexSpan, IndexState } from "../store.ts";
import type { Database } from "./database.ts";
import { HAS_LEDGER, PREFIX } from "./ledgers.ts";

const received = (data: string) => `coalesce(json_extract(${data}, '$.receivedAt'), 0)`;
const topicOf = (data: string) => `coalesce(json_extract(${data}, '$.topic'), '')`;
const row = (job: string) =>
  `${job}.queue, ${received(`${job}.data`)}, ${job}.id, ${job}.seq, ${topicOf(`${job}.data`)}`;

const TABLE = `
CREATE TABLE causeway_delivery (
  queue INTEGER NOT NULL,
  received_at INTEGER NOT NULL,
  id TEXT NOT NULL,
  job INTEGER NOT NULL,
  topic TEXT NOT NULL,
  PRIMARY KEY (queue, received_at, id)
) WITHOUT ROWID;
INSERT INTO causeway_delivery
  SELECT ${row("bullmq_job")} FROM bullmq_job JOIN bullmq_queue ON bullmq_queue.id = queue WHERE ${HAS_LEDGER}`;

const TRIGGERS = `
CREATE TRIGGER IF NOT EXISTS causeway_delivery_added AFTER INSERT ON bullmq_job BEGIN
  INSERT INTO causeway_delivery SELECT ${row("NEW")} FROM bullmq_queue WHERE id = NEW.queue AND ${HAS_LEDGER};
END;
CREATE TRIGGER IF NOT EXISTS causeway_delivery_removed AFTER DELETE ON bullmq_job BEGIN
  DELETE FROM causeway_delivery WHERE queue = (SELECT id FROM bullmq_queue WHERE id = OLD.queue AND ${HAS_LEDGER})
    AND received_at = ${received("OLD.data")} AND id = OLD.id;
END`;

const COLUMNS = "received_at, entry.id, topic, state";
const MATCHING = "(received_at, entry.id) < (?, ?) AND received_at >= ? AND topic GLOB ?";
const ORDER = "ORDER BY received_at DESC, entry.id DESC LIMIT ?";
const IN = (states: readonly string[]) => states.map((state) => `'${state}'`).join();
const STATES: readonly IndexState[] = ["waiting", "prioritized", "active", "delayed", "completed", "failed"];

/** Reads the index and looks up each job's state. CROSS JOIN keeps the order of the tables. */
const walk = (states: readonly IndexState[]) => `
  SELECT ${COLUMNS} FROM causeway_delivery AS entry CROSS JOIN bullmq_job AS job ON job.seq = entry.job
  WHERE entry.queue = ? AND ${MATCHING} ${states.length > 0 ? `AND state IN (${IN(states)})` : ""} ${ORDER}`;

/** Reads the jobs in the states and looks up their entries. */
const collect = (states: readonly IndexState[]) => `
  SELECT ${COLUMNS} FROM bullmq_job AS job CROSS JOIN causeway_delivery AS entry
    ON entry.queue = job.queue AND entry.received_at = ${received("job.data")} AND entry.id = job.id
  WHERE job.queue = ? AND state IN (${IN(states)}) AND ${MATCHING} ${ORDER}`;

type Row = [at: number, id: string, topic: string, state: IndexState];

export function deliveryIndexProcedures({ db }: Thread) {
  if (db.value("SELECT 1 FROM sqlite_schema WHERE name = 'causeway_delivery'") === undefined) {
    db.exec(`BEGIN; ${TABLE}; ${TRIGGERS}; COMMIT`);
  } else db.exec(TRIGGERS);

  const count = (queue: number, states: readonly string[]) =>
    db.value<number>(`SELECT count(*) FROM bullmq_job WHERE queue = ? AND state IN (${IN(states)})`, [queue])!;

  return {
    "deliveryIndex.newest": (
      spans: [queue: string, at: number, id: string][],
      { since, glob, states, limit }: { since: number; glob: string; states: IndexState[]; limit: number },
    ): Row[][] => {
      const statements = { walk: walk(states), collect: states.length > 0 ? collect(states) : "" };
      return spans.map(([name, at, id]) => {
        const queue = db.value<number>("SELECT id FROM bullmq_queue WHERE name = ?", [PREFIX + name]);
        if (queue === undefined) return [];
        const params: SqlValue[] = [queue, at, id, since, glob, limit];
        if (states.length === 0) return db.rows<Row>(statements.walk, params);
        const matching = count(queue, states);
        if (matching === 0) return [];
        const few = matching * 4 < count(queue, STATES);
        return db.rows<Row>(few ? statements.collect : statements.walk, params);
      });
    },
  };
}

/** Spans in one transaction, which delays the others. */
const SPANS = 250;

export function sqliteDeliveryIndex(database: Database): DeliveryIndex {
  async function slices(spans: readonly IndexSpan[], filter: IndexFilter, count: number): Promise<IndexSlice[]> {
    const { since = 0, topic, states = [] } = filter;
    const found = await database.call<Row[][]>(
      "deliveryIndex.newest",
      spans.map(({ queue, before }) => [queue, before.at, before.id]),
      { since, glob: topic === undefined ? "*" : globOf(topic), states, limit: count },
    );
    const isMatch = topic === undefined ? () => true : matcher([topic]);
    return found.map((rows) => {
      const entries = rows.map(([at, id, name, state]) => ({ at, id, topic: name, state }));
      const next = entries.length === count ? entries.at(-1) : undefined;
      return { entries: entries.filter((entry) => isMatch(entry.topic)), next: next && { at: next.at, id: next.id } };
    });
  }

  return {
    async newest(spans, filter, count) {
      const calls: Promise<IndexSlice[]>[] = [];
      for (let i = 0; i < spans.length; i += SPANS) calls.push(slices(spans.slice(i, i + SPANS), filter, count));
      return (await Promise.all(calls)).flat();
    },
  };
}

/** SQLite refuses patterns of 50,000 bytes. */
const GLOB_LENGTH = 1_000;
/** Incomplete set or character at the end of a shortened pattern. */
const CUT = /(\[[^\]]?|[\ud800-\udbff])$/;

/** Pattern that finds the topics of a filter, and possibly others: its wildcards do not stop at a slash. */
export function globOf(filter: string): string {
  const levels = filter.replace(/\/#$/, "#").split("/");
  const pattern = levels
    .map((level) => (level === "+" ? "*" : level.replace(/[[*?]/g, "[$&]").replace(/#$/, "*")))
    .join("/");
  return pattern.length > GLOB_LENGTH ? `${pattern.slice(0, GLOB_LENGTH).replace(CUT, "")}*` : pattern;
}
