import { statfs } from "node:fs/promises";
import { join, resolve } from "node:path";
import { EngineError, SqliteConnection, type SqliteOptions } from "../../bullmq-sqlite/index.ts";
import type { StoreCapacity } from "../capacity.ts";
import { createDirectory } from "../directory.ts";
import { OutageLog, type StoreLog } from "../log.ts";
import { StoreConfigError } from "../store.ts";

export interface DatabaseOptions {
  dataDir: string;
  log: StoreLog;
  /** `full` (default): an acknowledged change survives a power cut. `normal`: only a crash of the process. */
  synchronous?: SqliteOptions["synchronous"];
  /** Further modules of procedures that use the same file. */
  modules?: SqliteOptions["modules"];
}

const FILE = "causeway.db";
/** Resolves in dist as well as from the sources. */
const PROCEDURES = new URL(`procedures${import.meta.url.slice(-3)}`, import.meta.url);

/** The SQLite file in the data directory, open for one process at a time. */
export class Database {
  readonly connection: SqliteConnection;
  readonly #outage: OutageLog;
  #closing: Promise<void> | undefined;

  private constructor(
    connection: SqliteConnection,
    private readonly directory: string,
    log: StoreLog,
  ) {
    this.connection = connection;
    this.#outage = new OutageLog(log, { store: "embedded" });
  }

  /** @throws StoreConfigError when the file cannot be used; other errors are outages, such as a full disk */
  static async open({ dataDir, log, synchronous, modules = [] }: DatabaseOptions): Promise<Database> {
    const directory = resolve(dataDir);
    await createDataDir(directory);
    const file = join(directory, FILE);
    let connection: SqliteConnection | undefined;
    try {
      const options = { file, synchronous, modules: [PROCEDURES, ...modules], onFailure: endProcess };
      connection = await SqliteConnection.open(options);
      const faults = await connection.engine.call<string[]>("integrity.enter");
      if (faults.length > 0) throw new EngineError("DAMAGED", faults.join("; "));
      return new Database(connection, directory, log);
    } catch (error) {
      await connection?.close();
      throw startError(error, directory, file);
    }
  }

  /** Runs a procedure as {@link Engine.call} does; logs the start and the end of an outage. */
  async call<R>(procedure: string, ...args: unknown[]): Promise<R> {
    try {
      const result = await this.connection.engine.call<R>(procedure, ...args);
      this.#outage.back();
      return result;
    } catch (error) {
      if (isOutage(error) && !this.#closing) this.#outage.lost(error);
      throw error;
    }
  }

  /** The disk of the data directory, as an ordinary user may fill it. */
  async capacity(): Promise<StoreCapacity> {
    const { blocks, bavail, bsize } = await statfs(this.directory);
    return { usedBytes: (blocks - bavail) * bsize, maximumBytes: blocks * bsize, version: null };
  }

  /** Idempotent. */
  close(): Promise<void> {
    this.#closing ??= this.#close();
    return this.#closing;
  }

  async #close(): Promise<void> {
    // If this fails, the next start checks the file.
    await this.connection.engine.call("integrity.leave").catch(() => undefined);
    await this.connection.close();
  }
}

/** Returns whether a call failed because the file cannot be used at present, not because of the call itself. */
export function isOutage(error: unknown): boolean {
  return error instanceof EngineError;
}

/**
 * Ends the process with the error, as any other uncaught exception does: a restart opens the file again, and the
 * transaction that the thread left unfinished was acknowledged to no caller.
 */
function endProcess(error: EngineError): never {
  throw error;
}

/** Returns the error of a failed start. A full disk is an outage: a later start may succeed. */
function startError(error: unknown, directory: string, file: string): unknown {
  const code = error instanceof EngineError ? error.code : undefined;
  const reason = error instanceof Error ? error.message : String(error);
  if (code === "FULL") return error;
  if (code === "LOCKED") {
    return new StoreConfigError(
      `The data directory ${directory} is in use by another process. Stop that one, give this one a directory of its ` +
        "own (DATA_DIR), or share a Redis (STORE_URL).",
      { cause: error },
    );
  }
  if (code === "IO") {
    return new StoreConfigError(`The data directory ${directory} cannot be used: ${reason}`, { cause: error });
  }
  return new StoreConfigError(
    `The embedded store in ${file} cannot be opened (${reason}): the file may be damaged. Restore DATA_DIR from a ` +
      "backup, or move this file away and start once with STORE_RESET=accept, which begins an empty store.",
    { cause: error },
  );
}

/** Creates the directory with mode 0700: it holds key hashes, signing secrets and messages. */
async function createDataDir(directory: string): Promise<void> {
  try {
    await createDirectory(directory);
  } catch (error) {
    throw new StoreConfigError(`The data directory ${directory} cannot be created: ${(error as Error).message}`, {
      cause: error,
    });
  }
}
