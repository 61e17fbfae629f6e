/**
 * LevelDB for the embedded broker, reopened after a failed write. A full disk may leave the start of a record in
 * LevelDB's log. LevelDB would append to it once there is space again, and lose everything after it at the next start.
 * So after the first failed write nothing more is written, and reopening reads the earlier records from the log.
 */
import { statfs } from "node:fs/promises";
import { setTimeout as delay } from "node:timers/promises";
import { ClassicLevel } from "classic-level";
import { reasonOf } from "../../security/redaction.ts";
import type { Log } from "../client/connection.ts";

const RETRY_MS = 1_000;
/** Free space required for reopening: it writes the log into tables, and the broker must not fail again at once. */
const ROOM_BYTES = 16 * 1024 * 1024;

type LevelWrite = (...args: unknown[]) => Promise<unknown>;

export class BrokerDatabase {
  readonly level: ClassicLevel<string, Buffer>;
  readonly #location: string;
  readonly #log: Log;
  #failure: Error | undefined;
  #closed = false;
  #onLost = () => {};

  constructor(location: string, log: Log) {
    this.level = new ClassicLevel<string, Buffer>(location);
    this.#location = location;
    this.#log = log;
    const level = this.level as unknown as Record<"put" | "del" | "clear" | "batch", LevelWrite>;
    for (const method of ["put", "del", "clear"] as const) level[method] = this.#guard(level[method].bind(level));
    const batch = level.batch.bind(level);
    const together = this.#guard(batch);
    level.batch = (...operations) => {
      if (operations.length > 0) return together(...operations);
      const chain = batch() as unknown as { write: LevelWrite };
      chain.write = this.#guard(chain.write.bind(chain));
      return chain as never;
    };
  }

  /** False from a failed write until the database is open again. */
  get usable(): boolean {
    return this.#failure === undefined;
  }

  /** @param onLost called when a write fails while the database is usable */
  set onLost(onLost: () => void) {
    this.#onLost = onLost;
  }

  async close(): Promise<void> {
    this.#closed = true;
    await this.level.close();
  }

  #guard(write: LevelWrite): LevelWrite {
    return async (...args) => {
      if (this.#failure) throw this.#failure;
      try {
        const result = await write(...args);
        // This write may follow a failed one in the log.
        if (this.#failure) throw this.#failure;
        return result;
      } catch (error) {
        if ((error as { code?: unknown }).code === "LEVEL_IO_ERROR") this.#lost(error as Error);
        throw error;
      }
    };
  }

  #lost(error: Error): void {
    if (this.#failure || this.#closed) return;
    this.#failure = error;
    this.#log.error({ error: reasonOf(error) }, "broker_store_lost");
    this.#onLost();
    void this.#openAgain();
  }

  async #openAgain(): Promise<void> {
    for (;;) {
      try {
        await this.level.close();
        await delay(RETRY_MS, undefined, { ref: false });
        if (this.#closed) return;
        const { bavail, bsize } = await statfs(this.#location);
        if (bavail * bsize < ROOM_BYTES) continue;
        await this.level.open();
        break;
      } catch {} // Cannot be opened yet: retry.
    }
    if (this.#closed) return this.level.close();
    this.#failure = undefined;
    this.#log.info({}, "broker_store_back");
  }
}
