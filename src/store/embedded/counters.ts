import type { Counters } from "../store.ts";
import type { Database } from "./database.ts";

export const COUNTERS_TABLE = `
CREATE TABLE IF NOT EXISTS causeway.counter (
  "group" text COLLATE "C",
  field text COLLATE "C",
  value bigint NOT NULL,
  PRIMARY KEY ("group", field)
)`;

const ADD = `
INSERT INTO causeway.counter AS c SELECT $1, d.key, d.value::bigint FROM jsonb_each_text($2::jsonb) d
ON CONFLICT ("group", field) DO UPDATE SET value = c.value + excluded.value
RETURNING field, value`;

export function embeddedCounters(database: Database): Counters {
  const numbers = (rows: { field: string; value: number | string }[]) =>
    Object.fromEntries(rows.map(({ field, value }) => [field, Number(value)]));
  return {
    async add(group, deltas) {
      const { rows } = await database.query<{ field: string; value: number }>(ADD, [group, JSON.stringify(deltas)]);
      return numbers(rows);
    },
    async read(group) {
      const { rows } = await database.query<{ field: string; value: number }>(
        'SELECT field, value FROM causeway.counter WHERE "group" = $1',
        [group],
      );
      return numbers(rows);
    },
    async remove(group) {
      await database.query('DELETE FROM causeway.counter WHERE "group" = $1', [group]);
    },
  };
}
