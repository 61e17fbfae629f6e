import type { Database } from "./database.ts";

/** Time without a batch after which the file is tidied up. */
const IDLE_MS = 1_000;
/** Pause between two steps, in which a batch can run. */
const STEP_MS = 50;
/** Pages that a step gives back: 2 MB, a few milliseconds on an SD card. */
const STEP_PAGES = 512;
/** Free pages that stay in the file for the next jobs: 1 MB. */
const SPARE_PAGES = 256;

/**
 * Bounds the space on disk. SQLite's own checkpoints keep the write-ahead log from growing under load; this copies and
 * truncates it when the engine is idle, and gives free pages back to the file system in small steps.
 */
export class Housekeeping {
  readonly #db: Database;
  #timer: NodeJS.Timeout | undefined;
  #lastBatch = 0;

  constructor(db: Database) {
    this.#db = db;
  }

  /** A batch ran; the file is tidied up after the last one. */
  touch(): void {
    this.#lastBatch = Date.now();
    this.#timer ??= setTimeout(() => this.#check(), IDLE_MS);
  }

  stop(): void {
    clearTimeout(this.#timer);
    this.#timer = undefined;
  }

  #check(): void {
    this.#timer = undefined;
    const idle = Date.now() - this.#lastBatch;
    if (idle < IDLE_MS) {
      this.#timer = setTimeout(() => this.#check(), IDLE_MS - idle);
      return;
    }
    try {
      if (this.#step()) this.#timer = setTimeout(() => this.#check(), STEP_MS);
    } catch {
      // A full disk or a reader in the way: the next idle time tries again.
    }
  }

  /** Returns whether there is more to do. */
  #step(): boolean {
    const surplus = (this.#db.value<number>("PRAGMA freelist_count") ?? 0) - SPARE_PAGES;
    if (surplus > 0) this.#db.exec(`PRAGMA incremental_vacuum(${Math.min(surplus, STEP_PAGES)})`);
    if (surplus > STEP_PAGES) return true;
    this.#db.rows("PRAGMA wal_checkpoint(TRUNCATE)");
    return false;
  }
}
