import { closeSync, openSync } from "node:fs";
import { createRequire } from "node:module";
import { classify } from "./errors.ts";
import type { Synchronous } from "./protocol.ts";

/** The part of the binding's interface in use; better-sqlite3 and, with small changes, node:sqlite have it too. */
interface BindingStatement {
  readonly reader: boolean;
  raw(): BindingStatement;
  get(params: readonly SqlValue[]): unknown;
  all(params: readonly SqlValue[]): unknown[];
  run(params: readonly SqlValue[]): { changes: number };
}

interface Binding {
  prepare(sql: string): BindingStatement;
  exec(sql: string): void;
  close(): void;
  readonly inTransaction: boolean;
}

export type SqlValue = string | number | null | Uint8Array;

const requireHere = createRequire(import.meta.url);

/** Loads the binding, which is native code, with the first database: a bridge on Redis has none. */
function openBinding(file: string, timeout: number): Binding {
  // A CommonJS module whose types do not match its behaviour under NodeNext.
  const Libsql = requireHere("libsql") as new (file: string, options?: { timeout: number }) => Binding;
  return new Libsql(file, { timeout });
}

/** Wait for a lock that a reader such as the `sqlite3` command holds for a moment. It blocks only the engine's thread. */
const BUSY_TIMEOUT_MS = 5_000;
/** Pages in the write-ahead log that trigger a checkpoint: 8 MB, so that a page changed often is copied once. */
const CHECKPOINT_PAGES = 2_000;

/** One SQLite connection with a cache of prepared statements. Rows are arrays in the order of the columns. */
export class Database {
  readonly #binding: Binding;
  readonly #statements = new Map<string, BindingStatement>();
  #synchronous: Synchronous = "normal";
  /** Whether the next commit waits for the disk. */
  #syncs = true;

  private constructor(binding: Binding) {
    this.#binding = binding;
  }

  static open(file: string, synchronous: Synchronous): Database {
    const database = new Database(openBinding(created(file), BUSY_TIMEOUT_MS));
    try {
      database.#configure(synchronous);
      return database;
    } catch (error) {
      database.close();
      throw error;
    }
  }

  /** Opens the file that serves as a lock: held for as long as the connection stays open, dropped if the process dies. */
  static lock(file: string): Database {
    const database = new Database(openBinding(created(file), 0));
    try {
      database.exec("PRAGMA journal_mode = MEMORY");
      database.exec("BEGIN EXCLUSIVE");
    } catch (error) {
      database.close();
      throw error;
    }
    return database;
  }

  get inTransaction(): boolean {
    return this.#binding.inTransaction;
  }

  /**
   * Whether the following transactions wait for the disk. Call between transactions. A commit that waits also brings the
   * earlier ones to the disk: they are in the same log.
   */
  syncCommits(on: boolean): void {
    if (this.#synchronous === "normal" || on === this.#syncs) return;
    this.exec(`PRAGMA synchronous = ${on ? "FULL" : "NORMAL"}`);
    this.#syncs = on;
  }

  exec(sql: string): void {
    try {
      this.#binding.exec(sql);
    } catch (error) {
      throw classify(error);
    }
  }

  /** Returns the number of changed rows. */
  run(sql: string, params: readonly SqlValue[] = []): number {
    try {
      return this.#prepare(sql).run(params).changes;
    } catch (error) {
      throw classify(error);
    }
  }

  row<R extends unknown[]>(sql: string, params: readonly SqlValue[] = []): R | undefined {
    try {
      return this.#prepare(sql).get(params) as R | undefined;
    } catch (error) {
      throw classify(error);
    }
  }

  rows<R extends unknown[]>(sql: string, params: readonly SqlValue[] = []): R[] {
    try {
      return this.#prepare(sql).all(params) as R[];
    } catch (error) {
      throw classify(error);
    }
  }

  /** Returns the first column of the first row. */
  value<V>(sql: string, params: readonly SqlValue[] = []): V | undefined {
    return this.row<[V]>(sql, params)?.[0];
  }

  /** Returns the first column of every row. */
  values<V>(sql: string, params: readonly SqlValue[] = []): V[] {
    return this.rows<[V]>(sql, params).map(([value]) => value);
  }

  close(): void {
    this.#statements.clear();
    this.#binding.close();
  }

  #configure(synchronous: Synchronous): void {
    // Must precede the first table.
    this.exec("PRAGMA auto_vacuum = INCREMENTAL");
    const mode = this.value<string>("PRAGMA journal_mode = WAL");
    if (mode !== "wal") throw new Error(`SQLite cannot use a write-ahead log on this file system (${mode}).`);
    this.exec(`PRAGMA synchronous = ${synchronous === "full" ? "FULL" : "NORMAL"}`);
    this.#synchronous = synchronous;
    this.exec(`PRAGMA wal_autocheckpoint = ${CHECKPOINT_PAGES}`);
    // Reads the schema, so that a file of another kind is noticed here.
    this.value("SELECT count(*) FROM sqlite_schema");
  }

  #prepare(sql: string): BindingStatement {
    let statement = this.#statements.get(sql);
    if (!statement) {
      statement = this.#binding.prepare(sql);
      // Statements that return no rows have no raw mode.
      if (statement.reader) statement.raw();
      this.#statements.set(sql, statement);
    }
    return statement;
  }
}

/** Creates the file for its owner only, whatever the umask; SQLite gives its log the same mode. */
function created(file: string): string {
  try {
    closeSync(openSync(file, "a", 0o600));
  } catch {
    // SQLite reports why the file cannot be used.
  }
  return file;
}
