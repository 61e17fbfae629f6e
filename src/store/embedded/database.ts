import { PGlite, types } from "@electric-sql/pglite";
import type { StoreLog } from "../log.ts";

/** What both the stores' own tables and BullMQ read from an answer. */
export interface Rows<R> {
  rows: R[];
  rowCount: number;
}

export type Release = () => void;

/** No statement is run any more: the engine failed, or it was closed. */
export class DatabaseGone extends Error {
  override name = "DatabaseGone";
}

/** Statements between two rounds of housekeeping: some thousand jobs, or a second of full load in twenty. */
const HOUSEKEEPING_EVERY = 20_000;

/**
 * PGlite is one PostgreSQL session. Whoever wants to run statements takes a turn; a transaction keeps its turn to the
 * end, so that nobody else's statement falls into it.
 */
export class Database {
  readonly #pglite: PGlite;
  readonly #log: StoreLog;
  #lastTurn: Promise<void> = Promise.resolve();
  #failure: Error | undefined;
  #closed = false;
  #statements = 0;
  #housekeeping = false;

  private constructor(pglite: PGlite, log: StoreLog) {
    this.#pglite = pglite;
    this.#log = log;
  }

  static async open(directory: string, log: StoreLog): Promise<Database> {
    const pglite = await PGlite.create({
      dataDir: directory,
      // As node-postgres does, whose values BullMQ expects: 64-bit integers stay text.
      parsers: { [types.INT8]: (text) => text },
      // PostgreSQL's defaults are for a server: 128 MB of buffers and 100 sessions. This is 130 MB less of memory.
      postgresqlconf: ["shared_buffers = 16MB", "max_connections = 5"],
    });
    return new Database(pglite, log);
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
   * its log) the engine is gone for good, and everything rejects at once instead of meeting whatever is left of it.
   */
  #judge(err: unknown): unknown {
    if (!isFatal(err)) return err;
    const why = err instanceof Error ? err.message : String(err);
    this.#failure = new DatabaseGone(`The embedded store has failed and needs a restart of the process: ${why}`, {
      cause: err,
    });
    this.#log.error({ err, store: "embedded" }, "store_lost");
    return this.#failure;
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
