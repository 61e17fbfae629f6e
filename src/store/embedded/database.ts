import { statfs } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { PGlite, types } from "@electric-sql/pglite";
import type { StoreLog } from "../log.ts";

/** What both the stores' own tables and BullMQ read from an answer. */
export interface Rows<R> {
  rows: R[];
  rowCount: number;
}

export type Release = () => void;

/** No statement is run: the engine failed and is not up again yet, or it was closed. */
export class DatabaseGone extends Error {
  override name = "DatabaseGone";
}

/** How often it is tried to start an engine that failed, and what must be free on the disk before. */
const RETRY_MS = 1_000;
const ROOM_BYTES = 32 * 1024 * 1024;
/** Statements between two rounds of housekeeping: some thousand jobs, or a second of full load in twenty. */
const HOUSEKEEPING_EVERY = 20_000;

/**
 * PGlite is one PostgreSQL session. Whoever wants to run statements takes a turn; a transaction keeps its turn to the
 * end, so that nobody else's statement falls into it.
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

  /** Waits for its turn, in the order of asking. Whoever gets it must release it. */
  async turn(): Promise<Release> {
    const before = this.#lastTurn;
    let release: Release = () => {};
    this.#lastTurn = new Promise((resolve) => {
      release = resolve;
    });
    await before;
    return release;
  }

  /** One statement in a turn of its own. */
  async query<R>(text: string, params?: readonly unknown[]): Promise<Rows<R>> {
    const release = await this.turn();
    try {
      return await this.run<R>(text, params);
    } finally {
      release();
      this.#keepHouse();
    }
  }

  /** A statement in a turn that the caller holds. Without parameters the text may hold several. */
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

  /** Must be called in a turn. The callback runs in this process, within a millisecond of the commit. */
  async listen(channel: string, callback: (payload: string) => void): Promise<void> {
    await this.#pglite.listen(channel, callback);
    this.#listeners.push([channel, callback]);
  }

  /** A `SET` that holds for every statement from now on. */
  async set(sql: string): Promise<void> {
    await this.query(sql);
    this.#settings.push(sql);
  }

  async close(): Promise<void> {
    const release = await this.turn();
    this.#closed = true;
    try {
      // A database that has failed is left as after a crash: the next start recovers it from its log.
      if (!this.#failure) await this.#pglite.close();
    } finally {
      release();
    }
  }

  /**
   * Most errors are PostgreSQL's answer to one statement, a full disk among them. After the others (it could not write
   * its log) the engine is gone, and everything rejects at once, instead of meeting whatever is left of it, until another
   * one has recovered the data from that log.
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
      // Behind a transaction that was under way: all of it must have met the failure.
      const release = await this.turn();
      try {
        if (!this.#closed) await this.#startEngine();
      } catch {
        // No room yet.
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
   * What background processes do in a PostgreSQL server and nothing does in PGlite: VACUUM lets the space of finished
   * jobs be used again, CHECKPOINT lets the write-ahead log be. Without them both grow for ever.
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
    // As node-postgres does, whose values BullMQ expects: 64-bit integers stay text.
    parsers: { [types.INT8]: (text) => text },
    // PostgreSQL's defaults are for a server: 128 MB of buffers and 100 sessions. This is 130 MB less of memory.
    postgresqlconf: ["shared_buffers = 16MB", "max_connections = 5"],
  });
}

/** SQLSTATE classes 53 and 58: no disk or memory left, or the operating system refused. */
const UNABLE = /^5[38]/;

/** Whether a statement failed because the store cannot be used now, and not because of the statement itself. */
export function isOutage(err: unknown): boolean {
  return err instanceof DatabaseGone || UNABLE.test(String((err as { code?: unknown } | null)?.code ?? ""));
}

function isFatal(err: unknown): boolean {
  if (!(err instanceof Error)) return true;
  const { severity } = err as { severity?: unknown };
  // The WebAssembly program ended: a trap, or Emscripten's ExitStatus after PostgreSQL's PANIC.
  if (err.name === "RuntimeError" || err.name === "ExitStatus") return true;
  return severity === "FATAL" || severity === "PANIC";
}
