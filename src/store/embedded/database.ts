import { statfs } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { PGlite, types } from "@electric-sql/pglite";
import type { StoreLog } from "../log.ts";

/** Result of a statement, as both the store's own tables and BullMQ read it. */
export interface Rows<R> {
  rows: R[];
  rowCount: number;
}

export type Release = () => void;

/** No statement can run: the engine failed and has not restarted yet, or it was closed. */
export class DatabaseGone extends Error {
  override name = "DatabaseGone";
}

/** Interval between attempts to restart a failed engine, and the free disk space that an attempt requires. */
const RETRY_MS = 1_000;
const ROOM_BYTES = 32 * 1024 * 1024;
/** Statements between two rounds of housekeeping: a few thousand jobs; at full load one second in twenty. */
const HOUSEKEEPING_EVERY = 20_000;

/**
 * PGlite, which is a single PostgreSQL session. Statements run in turns; a transaction keeps its turn to the end, so
 * that no other statement becomes part of it.
 */
export class Database {
  readonly #directory: string;
  readonly #log: StoreLog;
  readonly #listeners: [channel: string, callback: (payload: string) => void][] = [];
  readonly #settings: string[] = [];
  #pglite: PGlite;
  #lastTurn: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #closed = false;
  #statements = 0;
  #housekeeping = false;

  private constructor(pglite: PGlite, directory: string, log: StoreLog) {
    this.#pglite = pglite;
    this.#directory = directory;
    this.#log = log;
  }

  static async open(directory: string, log: StoreLog): Promise<Database> {
    return new Database(await openEngine(directory), directory, log);
  }

  /** Waits for a turn, in the order of the calls. The caller must release it. */
  async turn(): Promise<Release> {
    const before = this.#lastTurn;
    let release: Release = () => {};
    this.#lastTurn = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    return release;
  }

  /** Runs one statement in a turn of its own. */
  async query<R>(text: string, params?: readonly unknown[]): Promise<Rows<R>> {
    const release = await this.turn();
    try {
      return await this.run<R>(text, params);
    } finally {
      release();
      this.#keepHouse();
    }
  }

  /** Runs a statement in a turn that the caller holds. Without parameters, `text` may contain several statements. */
  async run<R>(text: string, params: readonly unknown[] = []): Promise<Rows<R>> {
    if (this.#failure) throw this.#failure;
    if (this.#closed) throw new DatabaseGone("The embedded store is closed.");
    this.#statements += 1;
    try {
      const result =
        params.length === 0 ? (await this.#pglite.exec(text)).at(-1) : await this.#pglite.query(text, [...params]);
      const rows = (result?.rows ?? []) as R[];
      return { rows, rowCount: rows.length || (result?.affectedRows ?? 0) };
    } catch (err) {
      throw this.#judge(err);
    }
  }

  /** Subscribes to a channel; must be called in a turn. The callback runs within a millisecond of the commit. */
  async listen(channel: string, callback: (payload: string) => void): Promise<void> {
    await this.#pglite.listen(channel, callback);
    this.#listeners.push([channel, callback]);
  }

  /** Runs a `SET` that applies to every later statement, also after a restart of the engine. */
  async set(sql: string): Promise<void> {
    await this.query(sql);
    this.#settings.push(sql);
  }

  async close(): Promise<void> {
    const release = await this.turn();
    this.#closed = true;
    try {
      // A failed database is left as after a crash: the next start recovers it from its write-ahead log.
      if (!this.#failure) await this.#pglite.close();
    } finally {
      release();
    }
  }

  /**
   * Most errors, even a full disk, concern a single statement. After a fatal error (PostgreSQL could not write its
   * write-ahead log) the engine is gone: all statements reject at once, instead of running on a broken engine, until a
   * new engine has recovered the data from that log.
   */
  #judge(err: unknown): unknown {
    if (!isFatal(err)) return err;
    const why = err instanceof Error ? err.message : String(err);
    this.#failure = new DatabaseGone(`The embedded store has failed: ${why}`, { cause: err });
    this.#log.error({ err, store: "embedded" }, "store_lost");
    void this.#openAgain();
    return this.#failure;
  }

  async #openAgain(): Promise<void> {
    while (this.#failure && !this.#closed) {
      await delay(RETRY_MS, undefined, { ref: false });
      // Waits for a transaction in progress: all its statements must have failed.
      const release = await this.turn();
      try {
        if (!this.#closed) await this.#startEngine();
      } catch {
        // The engine cannot start yet; the loop retries.
      } finally {
        release();
      }
    }
  }

  async #startEngine(): Promise<void> {
    const { bavail, bsize } = await statfs(this.#directory);
    if (bavail * bsize < ROOM_BYTES) return;
    const pglite = await openEngine(this.#directory);
    for (const setting of this.#settings) await pglite.exec(setting);
    for (const [channel, callback] of this.#listeners) await pglite.listen(channel, callback);
    this.#pglite = pglite;
    this.#failure = undefined;
    this.#log.info({ store: "embedded" }, "store_back");
  }

  /**
   * Does the work of a PostgreSQL server's background processes, which PGlite lacks: VACUUM makes the space of finished
   * jobs reusable, CHECKPOINT that of the write-ahead log. Without them both grow forever.
   */
  #keepHouse(): void {
    if (this.#housekeeping || this.#statements < HOUSEKEEPING_EVERY) return;
    this.#housekeeping = true;
    this.#statements = 0;
    void this.query("VACUUM")
      .then(() => this.query("CHECKPOINT"))
      .catch((err) => this.#log.warn({ err, store: "embedded" }, "store_housekeeping_failed"))
      .finally(() => {
        this.#housekeeping = false;
      });
  }
}

function openEngine(directory: string): Promise<PGlite> {
  return PGlite.create({
    dataDir: directory,
    // BullMQ expects the values of node-postgres, which returns 64-bit integers as text.
    parsers: { [types.INT8]: (text) => text },
    // PostgreSQL's defaults suit a server: 128 MB of buffers and 100 sessions. These values save 130 MB of memory.
    postgresqlconf: ["shared_buffers = 16MB", "max_connections = 5"],
  });
}

/** SQLSTATE classes 53 and 58: no disk space or memory left, or an error of the operating system. */
const UNABLE = /^5[38]/;

/** Returns whether a statement failed because the store is unavailable, not because of the statement itself. */
export function isOutage(err: unknown): boolean {
  return err instanceof DatabaseGone || UNABLE.test(String((err as { code?: unknown } | null)?.code ?? ""));
}

function isFatal(err: unknown): boolean {
  if (!(err instanceof Error)) return true;
  const { severity } = err as { severity?: unknown };
  // The WebAssembly program terminated: a trap, or Emscripten's ExitStatus after PostgreSQL's PANIC.
  if (err.name === "RuntimeError" || err.name === "ExitStatus") return true;
  return severity === "FATAL" || severity === "PANIC";
}
