/**
 * In-memory mirror of a collection of records, for records that every message or request needs. The store keeps the
 * durable copy; its change notices carry a change by any instance to all instances.
 */
import { reasonOf } from "../security/redaction.ts";
import type { Records } from "./store.ts";

export interface CacheLog {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

type ChangeListener = (changed: ReadonlySet<string>) => void;

/** A record was changed by others again and again, between each read and write. */
export class ConflictError extends Error {
  override name = "ConflictError";
}

const RELOAD_MS = 1_000;
const MAX_CONFLICTS = 20;

/** @typeParam T the value of a record; the id is separate */
export class RecordCache<T> {
  readonly #records: Records<T>;
  readonly #log: CacheLog;
  #cached = new Map<string, { value: T; version: number }>();
  #listeners = new Set<ChangeListener>();
  /** Ids that changed during a reload, one set for each reload in progress. */
  readonly #reloads = new Set<Set<string>>();
  #stopWatching: (() => Promise<void>) | undefined;
  #reloadTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param what singular noun for a record in error messages: "webhook" */
  constructor(
    records: Records<T>,
    log: CacheLog,
    private readonly what: string,
  ) {
    this.#records = records;
    this.#log = log;
  }

  /** Reads every record and follows all later changes. */
  async start(): Promise<void> {
    this.#stopWatching = await this.#records.watch((id) => void this.#refresh(id));
    await this.reload();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#reloadTimer);
    await this.#stopWatching?.();
  }

  /** Reads every record again, for callers that cannot wait for pending change notices. */
  async reload(): Promise<void> {
    const meanwhile = new Set<string>();
    this.#reloads.add(meanwhile);
    const found = await this.#records.all().finally(() => this.#reloads.delete(meanwhile));
    const before = this.#cached;
    const ids = new Set([...before.keys(), ...found.map(({ id }) => id)]);
    this.#cached = new Map(found.map(({ id, value, version }) => [id, { value, version }]));
    // The records read may be older than changes applied during the reload.
    for (const id of meanwhile) {
      const known = before.get(id);
      if (!known) this.#cached.delete(id);
      else if (known.version > (this.#cached.get(id)?.version ?? 0)) this.#cached.set(id, known);
    }
    const changed = [...ids].filter((id) => before.get(id)?.version !== this.#cached.get(id)?.version);
    this.#notify(changed);
  }

  /** Returns the cached value. */
  get(id: string): T | undefined {
    return this.#cached.get(id)?.value;
  }

  all(): T[] {
    return [...this.#cached.values()].map(({ value }) => value);
  }

  get size(): number {
    return this.#cached.size;
  }

  /** Calls `listener` with the ids of created, removed or changed records after the cache holds the change. */
  onChange(listener: ChangeListener): void {
    this.#listeners.add(listener);
  }

  /** Reads a record from the store, so that it includes changes that another instance has just made. */
  async read(id: string): Promise<T | undefined> {
    return (await this.#records.get(id))?.value;
  }

  /** Loads a record that is not cached yet because its change notice is still pending. */
  async ensureCached(id: string): Promise<void> {
    if (!this.#cached.has(id)) this.#apply(id, await this.#records.get(id));
  }

  async list(page: { after?: string; limit: number }): Promise<T[]> {
    return (await this.#records.list(page)).map(({ value }) => value);
  }

  /** Returns false, without a change, when the id exists. */
  async create(id: string, value: T): Promise<boolean> {
    const created = await this.#records.create(id, value);
    if (created) this.#apply(id, { value, version: 1 });
    return created;
  }

  /**
   * Changes a record by compare-and-set and retries on a conflict, at most MAX_CONFLICTS times. `change` may return
   * undefined to leave the record unchanged.
   * @returns the record after that; undefined when it does not exist
   * @throws ConflictError
   */
  async update(id: string, change: (current: T) => T | undefined): Promise<T | undefined> {
    for (let i = 0; i < MAX_CONFLICTS; i++) {
      const found = await this.#records.get(id);
      if (!found) return undefined;
      const value = change(found.value);
      if (!value) return found.value;
      if (await this.#records.replace(id, value, found.version)) {
        this.#apply(id, { value, version: found.version + 1 });
        return value;
      }
    }
    throw new ConflictError(`the ${this.what} is being changed by others; try again`);
  }

  /** Returns false when the record does not exist. */
  async remove(id: string): Promise<boolean> {
    const removed = await this.#records.remove(id);
    if (removed) this.#apply(id, undefined);
    return removed;
  }

  async #refresh(id: string | undefined): Promise<void> {
    if (this.#stopped) return;
    try {
      if (id === undefined) await this.reload();
      else this.#apply(id, await this.#records.get(id));
    } catch (error) {
      // The store became unavailable after the notice: reload everything as soon as it is back.
      this.#log.warn({ what: this.what, error: reasonOf(error) }, "reload_failed");
      clearTimeout(this.#reloadTimer);
      this.#reloadTimer = setTimeout(() => void this.#refresh(undefined), RELOAD_MS).unref();
    }
  }

  #apply(id: string, found: { value: T; version: number } | undefined): void {
    for (const meanwhile of this.#reloads) meanwhile.add(id);
    const known = this.#cached.get(id);
    if (known?.version === found?.version || (known && found && known.version > found.version)) return;
    if (found) this.#cached.set(id, found);
    else this.#cached.delete(id);
    this.#notify([id]);
  }

  #notify(changed: string[]): void {
    if (changed.length === 0) return;
    const ids = new Set(changed);
    for (const listener of this.#listeners) listener(ids);
  }
}
