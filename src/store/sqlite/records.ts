import type { Thread } from "../../bullmq-sqlite/index.ts";
import type { Records, Versioned } from "../store.ts";
import type { Watchers } from "../watchers.ts";
import type { Database } from "./database.ts";

// SQLite compares text by the bytes of its UTF-8, as the port requires.
const TABLE = `
CREATE TABLE IF NOT EXISTS causeway_record (
  collection TEXT NOT NULL,
  id TEXT NOT NULL,
  version INTEGER NOT NULL,
  value TEXT NOT NULL,
  PRIMARY KEY (collection, id)
) WITHOUT ROWID`;

type RecordRow = [id: string, version: number, value: string];

const ROW = "SELECT id, version, value FROM causeway_record WHERE collection = ?";

export function recordProcedures({ db }: Thread) {
  db.exec(TABLE);
  return {
    "records.get": (collection: string, id: string) => db.row<RecordRow>(`${ROW} AND id = ?`, [collection, id]),
    "records.list": (collection: string, after: string, limit: number) =>
      db.rows<RecordRow>(`${ROW} AND id > ? ORDER BY id LIMIT ?`, [collection, after, limit]),
    "records.count": (collection: string) =>
      db.value<number>("SELECT count(*) FROM causeway_record WHERE collection = ?", [collection]),
    "records.create": (collection: string, id: string, value: string) =>
      db.run("INSERT INTO causeway_record VALUES (?, ?, 1, ?) ON CONFLICT DO NOTHING", [collection, id, value]) > 0,
    "records.replace": (collection: string, id: string, value: string, version: number) =>
      db.run(
        "UPDATE causeway_record SET value = ?, version = version + 1 WHERE collection = ? AND id = ? AND version = ?",
        [value, collection, id, version],
      ) > 0,
    "records.remove": (collection: string, id: string, version: number | null) =>
      db.run("DELETE FROM causeway_record WHERE collection = ? AND id = ? AND version = ifnull(?, version)", [
        collection,
        id,
        version,
      ]) > 0,
  };
}

const parse = <T>([id, version, value]: RecordRow): Versioned<T> => ({ id, version, value: JSON.parse(value) as T });

export function sqliteRecords<T>(database: Database, watchers: Watchers, collection: string): Records<T> {
  /** Returns whether the procedure changed the record; notifies the watchers after the commit. */
  async function change(procedure: string, id: string, ...args: unknown[]): Promise<boolean> {
    const changed = await database.call<boolean>(procedure, collection, id, ...args);
    if (changed) watchers.notify(collection, id);
    return changed;
  }
  async function list(after: string, limit: number): Promise<Versioned<T>[]> {
    return (await database.call<RecordRow[]>("records.list", collection, after, limit)).map(parse<T>);
  }

  return {
    async get(id) {
      // The binding ends text at U+0000, so no record has such an id; a path may contain it as %00.
      if (id.includes("\u0000")) return undefined;
      const row = await database.call<RecordRow | undefined>("records.get", collection, id);
      return row && parse<T>(row);
    },
    list: ({ after = "", limit }) => list(after, limit),
    all: () => list("", -1),
    count: () => database.call("records.count", collection),
    create: (id, value) => change("records.create", id, JSON.stringify(value)),
    replace: (id, value, version) => change("records.replace", id, JSON.stringify(value), version),
    remove: (id, version) => change("records.remove", id, version ?? null),
    watch: async (listener) => watchers.add(collection, listener),
  };
}
