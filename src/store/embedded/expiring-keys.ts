import type { ExpiringKeys } from "../store.ts";
import type { Database } from "./database.ts";

export const EXPIRING_KEYS_TABLE = `
CREATE TABLE IF NOT EXISTS causeway.claim (
  key text COLLATE "C" PRIMARY KEY,
  value text NOT NULL,
  expires_at timestamptz NOT NULL
);
CREATE INDEX IF NOT EXISTS claim_expiry ON causeway.claim (expires_at)`;

/** An expired key counts as absent and is overwritten in place. */
const SET_IF_ABSENT = `
INSERT INTO causeway.claim AS c VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at
  WHERE c.expires_at <= now()
RETURNING key`;

const PUT = `
INSERT INTO causeway.claim VALUES ($1, $2, now() + make_interval(secs => $3))
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`;

const SWEEP = `
DELETE FROM causeway.claim WHERE key IN
  (SELECT key FROM causeway.claim WHERE expires_at <= now() ORDER BY expires_at LIMIT $1)`;

/** Every hundredth write removes up to 500 expired keys: more than were added, so they cannot accumulate. */
const SWEEP_EVERY = 100;
const SWEEP_AT_MOST = 500;

export function embeddedExpiringKeys(database: Database): ExpiringKeys {
  let writes = 0;
  async function write(sql: string, params: unknown[]): Promise<number> {
    const { rowCount } = await database.query(sql, params);
    writes += 1;
    if (writes % SWEEP_EVERY === 0) await database.query(SWEEP, [SWEEP_AT_MOST]);
    return rowCount;
  }

  return {
    async setIfAbsent(key, value, ttlSeconds) {
      // Retries when the existing key disappears between the two statements.
      for (;;) {
        if ((await write(SET_IF_ABSENT, [key, value, ttlSeconds])) > 0) return undefined;
        const { rows } = await database.query<{ value: string }>(
          "SELECT value FROM causeway.claim WHERE key = $1 AND expires_at > now()",
          [key],
        );
        if (rows[0]) return rows[0].value;
      }
    },
    async put(key, value, ttlSeconds) {
      await write(PUT, [key, value, ttlSeconds]);
    },
    async release(key) {
      await database.query("DELETE FROM causeway.claim WHERE key = $1", [key]);
    },
    async releaseIf(key, value) {
      await database.query("DELETE FROM causeway.claim WHERE key = $1 AND value = $2", [key, value]);
    },
  };
}
