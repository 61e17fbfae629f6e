import type { Thread } from "../../bullmq-sqlite/index.ts";
import type { Counters } from "../store.ts";
import type { Database } from "./database.ts";

const TABLE = `
CREATE TABLE IF NOT EXISTS causeway_counter (
  "group" TEXT NOT NULL,
  field TEXT NOT NULL,
  value INTEGER NOT NULL,
  PRIMARY KEY ("group", field)
) WITHOUT ROWID`;

const ADD = `
INSERT INTO causeway_counter VALUES (?, ?, ?)
ON CONFLICT ("group", field) DO UPDATE SET value = value + excluded.value
RETURNING value`;

type Values = Record<string, number>;

export function counterProcedures({ db }: Thread) {
  db.exec(TABLE);
  return {
    "counters.add": (group: string, deltas: Values): Values =>
      Object.fromEntries(
        Object.entries(deltas).map(([field, delta]) => [field, db.value<number>(ADD, [group, field, delta])!]),
      ),
    "counters.read": (group: string): Values =>
      Object.fromEntries(
        db.rows<[string, number]>('SELECT field, value FROM causeway_counter WHERE "group" = ?', [group]),
      ),
    "counters.remove": (group: string) => void db.run('DELETE FROM causeway_counter WHERE "group" = ?', [group]),
  };
}

export function sqliteCounters(database: Database): Counters {
  return {
    add: (group, deltas) => database.call("counters.add", group, deltas),
    read: (group) => database.call("counters.read", group),
    remove: (group) => database.call("counters.remove", group),
  };
}
