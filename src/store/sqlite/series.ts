import type { Thread } from "../../bullmq-sqlite/index.ts";
import type { Series } from "../store.ts";
import type { Database } from "./database.ts";

/** The expiry is kept for each group: writes then change a single index. */
const TABLES = `
CREATE TABLE IF NOT EXISTS causeway_series (
  "group" TEXT NOT NULL,
  id TEXT NOT NULL,
  writer TEXT NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY ("group", id, writer)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS causeway_series_group (
  "group" TEXT PRIMARY KEY,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID`;

const PUT = `
INSERT INTO causeway_series VALUES (?, ?, ?, ?)
ON CONFLICT ("group", id, writer) DO UPDATE SET value = excluded.value`;

const EXTEND = `
INSERT INTO causeway_series_group VALUES (?, ?)
ON CONFLICT ("group") DO UPDATE SET expires_at = excluded.expires_at`;

/** All groups in one statement: each call of the binding costs more than a group does. */
const OF = `
SELECT "group", value FROM causeway_series JOIN causeway_series_group USING ("group")
WHERE "group" IN (SELECT value FROM json_each(?)) AND id = ? AND expires_at > ?`;

const PAGE = `
SELECT id, writer, value FROM causeway_series WHERE "group" = ?1 AND (id, writer) > (?2, ?3)
AND EXISTS (SELECT 1 FROM causeway_series_group WHERE "group" = ?1 AND expires_at > ?4)
ORDER BY id, writer LIMIT ?5`;
const PAGE_SIZE = 1_000;

const SWEEP = `
DELETE FROM causeway_series WHERE "group" = ?1 AND (id, writer) IN
  (SELECT id, writer FROM causeway_series WHERE "group" = ?1 LIMIT ?2)`;

/** Every write removes twice as many expired values as it adds, so they cannot accumulate. */
const SWEPT_FOR_EACH = 2;

type SeriesValue = [id: string, value: string];
type PageRow = [id: string, writer: string, value: string];

export interface SeriesPage {
  values: SeriesValue[];
  /** Id and writer of the last row; null: there are no more. */
  after: readonly [id: string, writer: string] | null;
}

export function seriesProcedures({ db }: Thread) {
  db.exec(TABLES);
  const sweep = (count: number) => {
    const expired = db.value<string>('SELECT "group" FROM causeway_series_group WHERE expires_at <= ?', [Date.now()]);
    if (expired === undefined) return;
    db.run(SWEEP, [expired, count]);
    const left = db.value('SELECT 1 FROM causeway_series WHERE "group" = ?', [expired]);
    if (left === undefined) db.run('DELETE FROM causeway_series_group WHERE "group" = ?', [expired]);
  };
  return {
    "series.put": (group: string, writer: string, values: readonly SeriesValue[], ttlSeconds: number) => {
      for (const [id, value] of values) db.run(PUT, [group, id, writer, value]);
      db.run(EXTEND, [group, Date.now() + Math.ceil(ttlSeconds * 1_000)]);
      sweep(SWEPT_FOR_EACH * values.length);
    },
    "series.of": (id: string, groups: readonly string[]) => {
      const found = new Map(groups.map((group) => [group, [] as string[]]));
      const rows = db.rows<[group: string, value: string]>(OF, [JSON.stringify(groups), id, Date.now()]);
      for (const [group, value] of rows) found.get(group)!.push(value);
      return [...found.values()];
    },
    "series.page": (group: string, id: string, writer: string): SeriesPage => {
      const rows = db.rows<PageRow>(PAGE, [group, id, writer, Date.now(), PAGE_SIZE]);
      const [lastId, lastWriter] = rows.at(-1) ?? [];
      const after = rows.length < PAGE_SIZE ? null : ([lastId!, lastWriter!] as const);
      return { values: rows.map(([rowId, , value]) => [rowId, value]), after };
    },
  };
}

export function sqliteSeries(database: Database): Series {
  return {
    put: (group, writer, values, ttlSeconds) => database.call("series.put", group, writer, values, ttlSeconds),
    of: (id, groups) => database.call("series.of", id, groups),
    async *all(group) {
      for (let after: SeriesPage["after"] = ["", ""]; after !== null; ) {
        const page: SeriesPage = await database.call<SeriesPage>("series.page", group, ...after);
        yield page.values;
        after = page.after;
      }
    },
  };
}
