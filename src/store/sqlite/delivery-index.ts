/**
 * Index of the delivery queues' jobs by time of receipt, with their topics: a table kept by triggers on BullMQ's, in the
 * transaction that adds or removes the job. A change of state does not touch it: the state is read from the job.
 */
import type { Thread } from "../../bullmq-sqlite/index.ts";
import { matcher } from "../../topic-index.ts";
import type { DeliveryIndex, IndexEntry, IndexPosition, IndexState } from "../store.ts";
import type { Database } from "./database.ts";
import { HAS_LEDGER, PREFIX } from "./ledgers.ts";

const received = (data: string) => `coalesce(json_extract(${data}, '$.receivedAt'), 0)`;
const topicOf = (data: string) => `coalesce(json_extract(${data}, '$.topic'), '')`;
const row = (job: string) =>
  `${received(`${job}.data`)}, ${job}.id, ${job}.queue, ${job}.seq, ${topicOf(`${job}.data`)}`;

const TABLE = `
CREATE TABLE causeway_delivery (
  received_at INTEGER NOT NULL,
  id TEXT NOT NULL,
  queue INTEGER NOT NULL,
  job INTEGER NOT NULL,
  topic TEXT NOT NULL,
  PRIMARY KEY (received_at, id, queue)
) WITHOUT ROWID;
-- The columns of the primary key follow by themselves.
CREATE INDEX causeway_delivery_queue ON causeway_delivery (queue);
CREATE INDEX causeway_delivery_topic ON causeway_delivery (topic);
INSERT INTO causeway_delivery
  SELECT ${row("bullmq_job")} FROM bullmq_job JOIN bullmq_queue ON bullmq_queue.id = queue WHERE ${HAS_LEDGER}`;

const TRIGGERS = `
CREATE TRIGGER IF NOT EXISTS causeway_delivery_added AFTER INSERT ON bullmq_job BEGIN
  INSERT INTO causeway_delivery SELECT ${row("NEW")} FROM bullmq_queue WHERE id = NEW.queue AND ${HAS_LEDGER};
END;
CREATE TRIGGER IF NOT EXISTS causeway_delivery_removed AFTER DELETE ON bullmq_job
WHEN EXISTS (SELECT 1 FROM bullmq_queue WHERE id = OLD.queue AND ${HAS_LEDGER}) BEGIN
  DELETE FROM causeway_delivery
    WHERE received_at = ${received("OLD.data")} AND id = OLD.id AND queue = OLD.queue;
END`;

/** Entries examined in one call at most: they delay other transactions. */
const EXAMINE = 50_000;
/** Jobs in the states, or on the topics, that are collected and sorted instead of looked for newest first. */
const COLLECT = 2_000;

const inStates = (states: readonly IndexState[]) =>
  states.length > 0 ? `AND job.state IN (${states.map((state) => `'${state}'`).join()})` : "";
const COLUMNS = "entry.received_at, entry.id, entry.queue, entry.topic, job.state";
const BEFORE = "(entry.received_at, entry.id, entry.queue) < (?2, ?3, ?4) AND entry.received_at >= ?5";
const ORDER = "ORDER BY entry.received_at DESC, entry.id DESC, entry.queue DESC";

/** The entries examined in one call. */
const examined = (one: boolean) => `
  SELECT received_at, id, queue, job, topic FROM causeway_delivery AS entry ${one ? "INDEXED BY causeway_delivery_queue" : ""}
  WHERE ${BEFORE} ${one ? "AND queue = (SELECT value FROM json_each(?1))" : ""} ${ORDER}`;

/** Reads the index and looks up the state of each job that matches otherwise. CROSS JOIN keeps the order of the entries. */
const walk = (states: readonly IndexState[], one: boolean) => `
  SELECT ${COLUMNS} FROM (${examined(one)} LIMIT ${EXAMINE}) AS entry CROSS JOIN bullmq_job AS job ON job.seq = entry.job
  WHERE entry.topic GLOB ?6 AND entry.queue IN (SELECT value FROM json_each(?1))
    ${inStates(states)} LIMIT ?7`;

/** The last entry examined, if there are more. */
const last = (one: boolean) =>
  `SELECT received_at, id, queue FROM (${examined(one)} LIMIT 1 OFFSET ${EXAMINE - 1}) WHERE ?1 IS NOT NULL`;

/** Reads the jobs in the states and looks up their entries. */
const collect = (states: readonly IndexState[]) => `
  SELECT ${COLUMNS} FROM bullmq_job AS job CROSS JOIN causeway_delivery AS entry
    ON entry.received_at = ${received("job.data")} AND entry.id = job.id AND entry.queue = job.queue
  WHERE job.queue IN (SELECT value FROM json_each(?1)) ${inStates(states)} AND ${BEFORE}
    AND entry.topic GLOB ?6 ${ORDER} LIMIT ?7`;

/** Reads the entries of the topics with a common prefix. */
const collectTopics = (states: readonly IndexState[]) => `
  SELECT ${COLUMNS} FROM causeway_delivery AS entry INDEXED BY causeway_delivery_topic
    CROSS JOIN bullmq_job AS job ON job.seq = entry.job
  WHERE entry.topic BETWEEN ?8 AND ?9 AND entry.topic GLOB ?6 AND entry.queue IN (SELECT value FROM json_each(?1))
    AND ${BEFORE} ${inStates(states)} ${ORDER} LIMIT ?7`;

const areFew = (rows: string) => `SELECT count(*) <= ${COLLECT} FROM (SELECT 1 FROM ${rows} LIMIT ${COLLECT + 1})`;
const fewTopics = areFew("causeway_delivery WHERE topic BETWEEN ?1 AND ?2");
const fewStates = (states: readonly IndexState[]) =>
  areFew(`bullmq_job AS job WHERE queue IN (SELECT value FROM json_each(?1)) ${inStates(states)}`);

type Row = [at: number, id: string, queue: number, topic: string, state: IndexState];

export interface Request {
  queues: readonly string[];
  before: IndexPosition;
  since: number;
  glob: string;
  /** Common beginning of the topics. */
  prefix: string;
  states: readonly IndexState[];
}

export interface FoundReply {
  entries: (IndexEntry & { topic: string })[];
  next: IndexPosition | undefined;
}

export function deliveryIndexProcedures({ db }: Thread) {
  if (db.value("SELECT 1 FROM sqlite_schema WHERE name = 'causeway_delivery'") === undefined) {
    db.exec(`BEGIN; ${TABLE}; ${TRIGGERS}; COMMIT`);
  } else db.exec(TRIGGERS);

  const nameOf = (queue: number) =>
    db.value<string>("SELECT name FROM bullmq_queue WHERE id = ?", [queue])!.slice(PREFIX.length);

  return {
    "deliveryIndex.newest": ({ queues, before, since, glob, prefix, states }: Request, limit: number): FoundReply => {
      const known = db.rows<[id: number, name: string]>(
        "SELECT id, name FROM bullmq_queue WHERE name IN (SELECT value FROM json_each(?))",
        [JSON.stringify(queues.map((name) => PREFIX + name))],
      );
      if (known.length === 0) return { entries: [], next: undefined };
      const names = new Map(known.map(([id, name]) => [id, name.slice(PREFIX.length)]));
      const ids = JSON.stringify([...names.keys()]);
      // The queue at the position may be gone: entries of the same message are then returned again.
      const queue = db.value<number>("SELECT id FROM bullmq_queue WHERE name = ?", [PREFIX + before.queue]);
      const span = [ids, before.at, before.id, queue ?? Number.MAX_SAFE_INTEGER, since];
      const params = [...span, glob, limit];
      const one = names.size === 1;
      const range = [prefix, `${prefix}\u{10ffff}`];
      let rows: Row[];
      let isWhole = true;
      if (states.length > 0 && db.value(fewStates(states), [ids])) rows = db.rows<Row>(collect(states), params);
      else if (prefix && db.value(fewTopics, range)) rows = db.rows<Row>(collectTopics(states), [...params, ...range]);
      else {
        rows = db.rows<Row>(walk(states, one), params);
        isWhole = false;
      }
      const entries = rows.map(([at, id, of, topic, state]) => ({ at, id, queue: names.get(of)!, topic, state }));
      if (rows.length === limit) return { entries, next: entries.at(-1) };
      if (isWhole) return { entries, next: undefined };
      const stop = db.row<[number, string, number]>(last(one), span);
      return { entries, next: stop && { at: stop[0], id: stop[1], queue: nameOf(stop[2]) } };
    },
  };
}

export function sqliteDeliveryIndex(database: Database): DeliveryIndex {
  return {
    async newest({ queues, before, since = 0, topic, states = [] }, limit) {
      const [glob, prefix] = topic === undefined ? ["*", ""] : [globOf(topic), prefixOf(topic)];
      const request: Request = { queues, before, since, glob, prefix, states };
      const { entries, next } = await database.call<FoundReply>("deliveryIndex.newest", request, limit);
      const isMatch = topic === undefined ? () => true : matcher([topic]);
      return { entries: entries.filter((entry) => isMatch(entry.topic)), next };
    },
  };
}

/** SQLite refuses patterns of 50,000 bytes. */
const GLOB_LENGTH = 1_000;
/** Incomplete set or character at the end of a shortened pattern. */
const CUT = /(\[[^\]]?|[\ud800-\udbff])$/;

/** Pattern that finds the topics of a filter, and possibly others: its wildcards do not stop at a slash. */
function globOf(filter: string): string {
  const levels = filter.replace(/\/#$/, "#").split("/");
  const pattern = levels
    .map((level) => (level === "+" ? "*" : level.replace(/[[*?]/g, "[$&]").replace(/#$/, "*")))
    .join("/");
  return pattern.length > GLOB_LENGTH ? `${pattern.slice(0, GLOB_LENGTH).replace(CUT, "")}*` : pattern;
}

/** Text with which all topics of a filter begin. */
function prefixOf(filter: string): string {
  return filter.replace(/(^|\/)#$/, "").replace(/(^|\/)\+(\/.*)?$/s, "$1");
}
