/**
 * Records in memory: for what is looked at with every message or request. The store has them for ever; any instance's
 * change reaches all instances through its change notices.
 */
import { Problem } from "../errors.ts";
import { reasonOf } from "../security/redaction.ts";
import type { Records } from "./store.ts";

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

type Listener = (changed: ReadonlySet<string>) => void;

const RELOAD_MS = 1_000;
const MAX_CONFLICTS = 20;

/** @typeParam T what a record holds; the id is its own */
export class RecordCache<T> {
  readonly #records: Records<T>;
  readonly #log: Log;
  #cached = new Map<string, { value: T; version: number }>();
  #listeners = new Set<Listener>();
  /** What changed while everything is being read again, for each such reading. */
  readonly #reloads = new Set<Set<string>>();
  #stopWatching: (() => Promise<void>) | undefined;
  #reloadTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  /** @param what one of them, for messages to people: "webhook" */
  constructor(
    records: Records<T>,
    log: Log,
    private readonly what: string,
  ) {
    this.#records = records;
    this.#log = log;
  }

  /** Reads every record and follows the changes from here on. */
  async start(): Promise<void> {
    this.#stopWatching = await this.#records.watch((id) => void this.#refresh(id));
    await this.reload();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#reloadTimer);
    await this.#stopWatching?.();
  }

  /** Reads every record again: for whoever cannot wait for notices that may be on their way. */
  async reload(): Promise<void> {
    const meanwhile = new Set<string>();
    this.#reloads.add(meanwhile);
    const found = await this.#records.all().finally(() => this.#reloads.delete(meanwhile));
    const before = this.#cached;
    const ids = new Set([...before.keys(), ...found.map(({ id }) => id)]);
    this.#cached = new Map(found.map(({ id, value, version }) => [id, { value, version }]));
    // What was read may be older than what has come to be known since.
    for (const id of meanwhile) {
      const known = before.get(id);
      if (!known) this.#cached.delete(id);
      else if (known.version > (this.#cached.get(id)?.version ?? 0)) this.#cached.set(id, known);
    }
    const changed = [...ids].filter((id) => before.get(id)?.version !== this.#cached.get(id)?.version);
    this.#notify(changed);
  }

  /** As this instance knows it. */
  get(id: string): T | undefined {
    return this.#cached.get(id)?.value;
  }

  all(): T[] {
    return [...this.#cached.values()].map(({ value }) => value);
  }

  get size(): number {
    return this.#cached.size;
  }

  /** Calls back with the ids that came, went or changed, after the change is in memory. */
  onChange(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Straight from the store, so that any instance answers what another one has just written. */
  async read(id: string): Promise<T> {
    const found = await this.#records.get(id);
    if (!found) throw this.#notFound(id);
    return found.value;
  }

  /** Has the record in memory as it is in the store, if the notice of its change is still on its way. */
  async ensureCached(id: string): Promise<void> {
    if (!this.#cached.has(id)) this.#apply(id, await this.#records.get(id));
  }

  async list(page: { after?: string; limit: number }): Promise<T[]> {
    return (await this.#records.list(page)).map(({ value }) => value);
  }

  /** False, and no change, when the id exists. */
  async create(id: string, value: T): Promise<boolean> {
    const created = await this.#records.create(id, value);
    if (created) this.#apply(id, { value, version: 1 });
    return created;
  }

  /**
   * Changes a record by compare-and-set, again and again until nobody came between. `change` may answer
   * undefined to leave it as it is.
   * @throws Problem not_found, conflict
   */
  async update(id: string, change: (current: T) => T | undefined): Promise<T> {
    for (let i = 0; i < MAX_CONFLICTS; i++) {
      const found = await this.#records.get(id);
      if (!found) throw this.#notFound(id);
      const value = change(found.value);
      if (!value) return found.value;
      if (await this.#records.replace(id, value, found.version)) {
        this.#apply(id, { value, version: found.version + 1 });
        return value;
      }
    }
    throw new Problem("conflict", `the ${this.what} is being changed by others; try again`);
  }

  async remove(id: string): Promise<void> {
    if (!(await this.#records.remove(id))) throw this.#notFound(id);
    this.#apply(id, undefined);
  }

  async #refresh(id: string | undefined): Promise<void> {
    if (this.#stopped) return;
    try {
      if (id === undefined) await this.reload();
      else this.#apply(id, await this.#records.get(id));
    } catch (error) {
      // The notice came and the store went: read everything as soon as it is back.
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

  #notFound(id: string): Problem {
    return new Problem("not_found", `there is no ${this.what} ${id}`);
  }
}
