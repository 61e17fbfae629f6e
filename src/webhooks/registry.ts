/**
 * The registrations: in the store for ever, in memory for every message. Any instance's change reaches all instances
 * through the store's change notices.
 */
import { Problem } from "../errors.ts";
import type { Records } from "../store/store.ts";
import type { Webhook } from "./webhook.ts";

export interface Log {
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
}

type Listener = (changed: ReadonlySet<string>) => void;

const RELOAD_MS = 1_000;
const MAX_CONFLICTS = 20;

export class WebhookRegistry {
  readonly #records: Records<Webhook>;
  readonly #log: Log;
  #webhooks = new Map<string, { value: Webhook; version: number }>();
  #listeners = new Set<Listener>();
  #stopWatching: (() => Promise<void>) | undefined;
  #reloadTimer: NodeJS.Timeout | undefined;
  #stopped = false;

  constructor(records: Records<Webhook>, log: Log) {
    this.#records = records;
    this.#log = log;
  }

  /** Reads every registration and follows the changes from here on. */
  async start(): Promise<void> {
    this.#stopWatching = await this.#records.watch((id) => void this.#refresh(id));
    await this.#reload();
  }

  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#reloadTimer);
    await this.#stopWatching?.();
  }

  /** The registration as this instance knows it. */
  get(id: string): Webhook | undefined {
    return this.#webhooks.get(id)?.value;
  }

  all(): Webhook[] {
    return [...this.#webhooks.values()].map(({ value }) => value);
  }

  get size(): number {
    return this.#webhooks.size;
  }

  /** Calls back with the ids that came, went or changed, after the change is in memory. */
  onChange(listener: Listener): void {
    this.#listeners.add(listener);
  }

  /** Straight from the store, so that any instance answers what another one has just written. */
  async read(id: string): Promise<Webhook> {
    const found = await this.#records.get(id);
    if (!found) throw notFound(id);
    return found.value;
  }

  async list(page: { after?: string; limit: number }): Promise<Webhook[]> {
    return (await this.#records.list(page)).map(({ value }) => value);
  }

  async create(webhook: Webhook): Promise<void> {
    await this.#records.create(webhook.id, webhook);
    this.#apply(webhook.id, { value: webhook, version: 1 });
  }

  /**
   * Changes a registration by compare-and-set, again and again until nobody came between. `change` may answer
   * undefined to leave it as it is.
   * @throws Problem not_found, conflict
   */
  async update(id: string, change: (current: Webhook) => Webhook | undefined): Promise<Webhook> {
    for (let i = 0; i < MAX_CONFLICTS; i++) {
      const found = await this.#records.get(id);
      if (!found) throw notFound(id);
      const value = change(found.value);
      if (!value) return found.value;
      if (await this.#records.replace(id, value, found.version)) {
        this.#apply(id, { value, version: found.version + 1 });
        return value;
      }
    }
    throw new Problem("conflict", "the webhook is being changed by others; try again");
  }

  async remove(id: string): Promise<void> {
    if (!(await this.#records.remove(id))) throw notFound(id);
    this.#apply(id, undefined);
  }

  async #refresh(id: string | undefined): Promise<void> {
    if (this.#stopped) return;
    try {
      if (id === undefined) await this.#reload();
      else this.#apply(id, await this.#records.get(id));
    } catch (error) {
      // The notice came and the store went: read everything as soon as it is back.
      this.#log.warn({ error: (error as Error).message }, "webhooks_reload_failed");
      clearTimeout(this.#reloadTimer);
      this.#reloadTimer = setTimeout(() => void this.#refresh(undefined), RELOAD_MS).unref();
    }
  }

  async #reload(): Promise<void> {
    const found = await this.#records.all();
    const ids = new Set([...this.#webhooks.keys(), ...found.map(({ id }) => id)]);
    const before = this.#webhooks;
    this.#webhooks = new Map(found.map(({ id, value, version }) => [id, { value, version }]));
    const changed = [...ids].filter((id) => before.get(id)?.version !== this.#webhooks.get(id)?.version);
    this.#notify(changed);
  }

  #apply(id: string, found: { value: Webhook; version: number } | undefined): void {
    const known = this.#webhooks.get(id);
    if (known?.version === found?.version || (known && found && known.version > found.version)) return;
    if (found) this.#webhooks.set(id, found);
    else this.#webhooks.delete(id);
    this.#notify([id]);
  }

  #notify(changed: string[]): void {
    if (changed.length === 0) return;
    const ids = new Set(changed);
    for (const listener of this.#listeners) listener(ids);
  }
}

function notFound(id: string): Problem {
  return new Problem("not_found", `there is no webhook ${id}`);
}
