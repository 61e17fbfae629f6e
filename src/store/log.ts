/** The part of a pino logger that the stores use. */
import { LRUCache } from "lru-cache";
export interface StoreLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

/**
 * Reduces the errors of one outage to two log lines: its start and its end. A thousand workers, each with its own
 * connection, retry once a second; one line per error would bury everything else.
 */
export class OutageLog {
  readonly #log: StoreLog;
  readonly #fields: object;
  #since: number | undefined;
  #replaced = false;
  /** Number of outages so far. */
  count = 0;

  constructor(log: StoreLog, fields: object) {
    this.#log = log;
    this.#fields = fields;
  }

  get active(): boolean {
    return this.#since !== undefined;
  }

  lost(err: unknown): void {
    if (this.#since !== undefined) return;
    this.#since = Date.now();
    this.count += 1;
    this.#log.error({ ...this.#fields, err }, "store_lost");
  }

  /** Logs that a different store responds: once, even during an outage. */
  replaced(err: unknown): void {
    if (this.#replaced) return;
    this.#replaced = true;
    this.#since ??= Date.now();
    this.count += 1;
    this.#log.error({ ...this.#fields, err }, "store_replaced");
  }

  /** Whether the last response came from a different store. */
  get isReplaced(): boolean {
    return this.#replaced;
  }

  back(): void {
    this.#replaced = false;
    if (this.#since === undefined) return;
    this.#log.info({ ...this.#fields, outage_ms: Date.now() - this.#since }, "store_back");
    this.#since = undefined;
  }
}

const SAME_ERROR_MS = 60_000;
const REMEMBERED = 100;

/** Logs one line a minute for each distinct queue error, with the number of lines omitted since the previous one. */
export class ErrorDigest {
  readonly #log: StoreLog;
  readonly #seen = new LRUCache<string, { at: number; silenced: number }>({ max: REMEMBERED });

  constructor(log: StoreLog) {
    this.#log = log;
  }

  report(err: Error, queue: string): void {
    // Ids and numbers are removed, so that "Missing lock for job 0199…" is one kind of error and not ten thousand.
    const kind = err.message.replace(/\S*\d\S*/g, "#").slice(0, 100);
    const last = this.#seen.get(kind);
    if (last && Date.now() - last.at < SAME_ERROR_MS) {
      last.silenced += 1;
      return;
    }
    this.#seen.set(kind, { at: Date.now(), silenced: 0 });
    this.#log.warn({ err, queue, silenced: last?.silenced ?? 0 }, "queue_error");
  }
}
