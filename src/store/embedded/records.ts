import type { Records, Versioned } from "../store.ts";
import type { Watchers } from "../watchers.ts";
import type { Database } from "./database.ts";

// `text`, not `jsonb`: jsonb refuses the JSON string "\u0000" and reorders keys. The collation "C" sorts ids by bytes.
export const RECORDS_TABLE = `
CREATE TABLE IF NOT EXISTS causeway.record (
  collection text COLLATE "C" NOT NULL,
  id text COLLATE "C" NOT NULL,
  version int NOT NULL,
  value text NOT NULL,
  PRIMARY KEY (collection, id)
)`;

interface RecordRow {
  id: string;
  version: number;
  value: string;
}

const parse = <T>({ id, version, value }: RecordRow): Versioned<T> => ({ id, version, value: JSON.parse(value) as T });

export function embeddedRecords<T>(database: Database, watchers: Watchers, collection: string): Records<T> {
  /** Returns whether the statement changed its row; notifies the watchers after the commit. */
  async function change(id: string, sql: string, params: unknown[]): Promise<boolean> {
    const { rowCount } = await database.query(sql, params);
    if (rowCount > 0) watchers.tell(collection, id);
    return rowCount > 0;
  }

  return {
    async get(id) {
      // PostgreSQL's text cannot hold U+0000, so no record has such an id; a path may contain it as %00.
      if (id.includes("\u0000")) return undefined;
      const { rows } = await database.query<RecordRow>(
        "SELECT id, version, value FROM causeway.record WHERE collection = $1 AND id = $2",
        [collection, id],
      );
      return rows[0] && parse<T>(rows[0]);
    },
    async list({ after = "", limit }) {
      const { rows } = await database.query<RecordRow>(
        "SELECT id, version, value FROM causeway.record WHERE collection = $1 AND id > $2 ORDER BY id LIMIT $3",
        [collection, after, limit],
      );
      return rows.map(parse<T>);
    },
    async all() {
      const { rows } = await database.query<RecordRow>(
        "SELECT id, version, value FROM causeway.record WHERE collection = $1 ORDER BY id",
        [collection],
      );
      return rows.map(parse<T>);
    },
    async count() {
      const { rows } = await database.query<{ n: number }>(
        "SELECT count(*)::int AS n FROM causeway.record WHERE collection = $1",
        [collection],
      );
      return rows[0]?.n ?? 0;
    },
    create: (id, value) =>
      change(id, "INSERT INTO causeway.record VALUES ($1, $2, 1, $3) ON CONFLICT DO NOTHING", [
        collection,
        id,
        JSON.stringify(value),
      ]),
    replace: (id, value, version) =>
      change(
        id,
        `UPDATE causeway.record SET value = $3, version = version + 1
          WHERE collection = $1 AND id = $2 AND version = $4`,
        [collection, id, JSON.stringify(value), version],
      ),
    remove: (id) => change(id, "DELETE FROM causeway.record WHERE collection = $1 AND id = $2", [collection, id]),
    watch: async (listener) => watchers.add(collection, listener),
  };
}
