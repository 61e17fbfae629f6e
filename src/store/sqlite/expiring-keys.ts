import type { Thread } from "../../bullmq-sqlite/index.ts";
import type { ExpiringKeys } from "../store.ts";
import type { Database } from "./database.ts";

const TABLE = `
CREATE TABLE IF NOT EXISTS causeway_expiring_key (
  key TEXT PRIMARY KEY,
  value TEXT NOT NULL,
  expires_at INTEGER NOT NULL
) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS causeway_expiring_key_expiry ON causeway_expiring_key (expires_at)`;

const PUT = `
INSERT INTO causeway_expiring_key VALUES (?, ?, ?)
ON CONFLICT (key) DO UPDATE SET value = excluded.value, expires_at = excluded.expires_at`;

const SWEEP = `
DELETE FROM causeway_expiring_key WHERE key IN
  (SELECT key FROM causeway_expiring_key WHERE expires_at <= ? ORDER BY expires_at LIMIT ?)`;

/** Every hundredth write removes up to 500 expired keys: more than were added, so they cannot accumulate. */
const SWEEP_EVERY = 100;
const SWEEP_AT_MOST = 500;

export function expiringKeyProcedures({ db }: Thread) {
  db.exec(TABLE);
  let writes = 0;
  const put = (key: string, value: string, ttlSeconds: number) => {
    db.run(PUT, [key, value, Date.now() + Math.ceil(ttlSeconds * 1_000)]);
    writes += 1;
    if (writes % SWEEP_EVERY === 0) db.run(SWEEP, [Date.now(), SWEEP_AT_MOST]);
  };
  /** An expired key counts as absent. */
  const get = (key: string) =>
    db.value<string>("SELECT value FROM causeway_expiring_key WHERE key = ? AND expires_at > ?", [key, Date.now()]);
  return {
    "keys.put": put,
    "keys.get": get,
    "keys.setIfAbsent": (key: string, value: string, ttlSeconds: number) => {
      const existing = get(key);
      if (existing === undefined) put(key, value, ttlSeconds);
      return existing;
    },
    "keys.release": (key: string) => void db.run("DELETE FROM causeway_expiring_key WHERE key = ?", [key]),
    "keys.releaseIf": (key: string, value: string) =>
      void db.run("DELETE FROM causeway_expiring_key WHERE key = ? AND value = ?", [key, value]),
  };
}

export function sqliteExpiringKeys(database: Database): ExpiringKeys {
  return {
    setIfAbsent: (key, value, ttlSeconds) => database.call("keys.setIfAbsent", key, value, ttlSeconds),
    put: (key, value, ttlSeconds) => database.call("keys.put", key, value, ttlSeconds),
    get: (key) => database.call("keys.get", key),
    release: (key) => database.call("keys.release", key),
    releaseIf: (key, value) => database.call("keys.releaseIf", key, value),
  };
}
