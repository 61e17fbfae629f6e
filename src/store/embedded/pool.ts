import { EventEmitter } from "node:events";
import type { PgPool, PgPoolClient, PgQueryResult } from "bullmq";
import type { Database, Release } from "./database.ts";

/**
 * Presents PGlite to BullMQ as a node-postgres pool. Any number of clients share the single session; closing a queue or
 * worker ends its client but never the database.
 */
export class PglitePool extends EventEmitter implements PgPool {
  /** BullMQ blocks workers for over 10 s only with keep-alive, which detects a lost LISTEN; in-process none is lost. */
  readonly options = { keepAlive: true };
  readonly #database: Database;
  readonly #listening = new Map<string, Set<PgliteClient>>();

  constructor(database: Database) {
    super();
    this.#database = database;
    // Every queue and worker adds an `error` listener.
    this.setMaxListeners(0);
  }

  query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    return this.#database.query<R>(text, params);
  }

  async connect(): Promise<PgPoolClient> {
    return new PgliteClient(this.#database, this);
  }

  /** Does nothing: the store closes the database. */
  async end(): Promise<void> {}

  /** Uses one LISTEN for all clients of a channel; otherwise PGlite would keep and call a thousand callbacks. */
  async listen(channel: string, client: PgliteClient): Promise<void> {
    const clients = this.#listening.get(channel);
    if (clients) {
      clients.add(client);
      return;
    }
    const first = new Set([client]);
    this.#listening.set(channel, first);
    const release = await this.#database.turn();
    try {
      await this.#database.listen(channel, (payload) => {
        for (const each of [...first]) each.emit("notification", { channel, payload });
      });
    } catch (err) {
      this.#listening.delete(channel);
      throw err;
    } finally {
      release();
    }
  }

  unlisten(client: PgliteClient): void {
    for (const clients of this.#listening.values()) clients.delete(client);
  }
}

/** BullMQ's SQL file for LISTEN begins with comment lines. */
const LEADING_COMMENTS = /^(?:\s|--[^\n]*\n)+/;
const LISTEN = /^LISTEN\s+"?(\w+)"?\s*;?\s*$/i;
const BEGIN = /^(?:BEGIN|START\s+TRANSACTION)\b/i;
const END = /^(?:COMMIT|ROLLBACK|END)\b(?!\s+TO\b)/i;

/** Holds a turn only from BEGIN to COMMIT, because a worker keeps its LISTEN client for its lifetime. */
class PgliteClient extends EventEmitter implements PgPoolClient {
  readonly #database: Database;
  readonly #pool: PglitePool;
  #transaction: Release | undefined;

  constructor(database: Database, pool: PglitePool) {
    super();
    this.#database = database;
    this.#pool = pool;
  }

  async query<R>(text: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const sql = text.replace(LEADING_COMMENTS, "");
    const channel = LISTEN.exec(sql)?.[1];
    if (channel) {
      await this.#pool.listen(channel, this);
      return { rows: [], rowCount: 0 };
    }
    if (this.#transaction) return await this.#inTransaction<R>(sql, params);
    if (BEGIN.test(sql)) return await this.#begin<R>(sql);
    return await this.#database.query<R>(sql, params);
  }

  release(): void {
    this.#pool.unlisten(this);
    this.removeAllListeners("notification");
    if (this.#transaction) void this.query("ROLLBACK").catch(() => {});
  }

  async #begin<R>(sql: string): Promise<PgQueryResult<R>> {
    const release = await this.#database.turn();
    try {
      const result = await this.#database.run<R>(sql);
      this.#transaction = release;
      return result;
    } catch (err) {
      release();
      throw err;
    }
  }

  async #inTransaction<R>(sql: string, params?: readonly unknown[]): Promise<PgQueryResult<R>> {
    const ends = END.test(sql);
    try {
      return await this.#database.run<R>(sql, params);
    } finally {
      if (ends) {
        this.#transaction?.();
        this.#transaction = undefined;
      }
    }
  }
}
