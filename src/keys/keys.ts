/** API keys other than the first one: creates, lists and removes them, and authenticates requests. */

import { LRUCache } from "lru-cache";
import { Refused } from "../errors.ts";
import { afterOf, type Page, pageOf } from "../lib/cursor.ts";
import type { RecordCache } from "../store/record-cache.ts";
import { covers } from "../topic.ts";
import { matcher } from "../topic-index.ts";
import type { Allowance, Caller, Scope } from "./caller.ts";
import { createKey, digestOf, type KeyInput, type KeyRecord, looksLikeKey, MAX_KEYS } from "./key.ts";
import { Limiter } from "./limiter.ts";

export type KeyDto = Omit<KeyRecord, "hash">;

/** Minimum interval between writes of a key's last use. */
const USE_NOTED_MS = 60_000;
/** Number of removed keys to remember; far more than pending reads can concern at once. */
const REMEMBERED = 1_000;

export interface KeysOptions {
  cache: RecordCache<KeyRecord>;
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Milliseconds of a monotonic clock, for the rate limits. */
  monotonic?: () => number;
}

const MAX_RECENT = 1_000;

export class Keys {
  readonly #cache: RecordCache<KeyRecord>;
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #byId = new Map<string, KeyCaller>();
  readonly #byDigest = new Map<string, KeyCaller>();
  /** Digests of recently used valid keys, so that a busy key is not hashed at every request; at most MAX_RECENT. */
  readonly #recent = new LRUCache<string, string>({ max: MAX_RECENT });
  /** Keys removed here: a record read before the removal and cached after it must not admit the key again. */
  readonly #removed = new LRUCache<string, true>({ max: REMEMBERED });

  /** Follows the record cache; must be constructed before the record cache starts. */
  constructor({ cache, now = Date.now, monotonic = () => performance.now() }: KeysOptions) {
    this.#cache = cache;
    this.#now = now;
    this.#monotonic = monotonic;
    cache.onChange((ids) => {
      for (const id of ids) this.#follow(id);
    });
  }

  /** Returns the caller of a bearer token from memory, without a read from the store; undefined for an expired key. */
  authenticate(bearer: string): Caller | undefined {
    if (!looksLikeKey(bearer)) return undefined;
    const known = this.#recent.get(bearer);
    // Timing reveals at most something about a digest, from which the key cannot be derived. The map `#recent` uses a
    // seeded hash and contains only keys that this process has received and found valid.
    const digest = known ?? digestOf(bearer);
    const caller = this.#byDigest.get(digest);
    if (!caller) {
      this.#recent.delete(bearer); // the key was removed
      return undefined;
    }
    if (known === undefined) this.#recent.set(bearer, digest);
    return this.#use(caller);
  }

  /** Returns the caller of a key by its id, as {@link authenticate} does by its text. */
  callerOf(id: string): Caller | undefined {
    const caller = this.#byId.get(id);
    return caller && this.#use(caller);
  }

  /** Returns the caller of a key by its id without counting a use of the key. */
  rightsOf(id: string): Caller | undefined {
    const caller = this.#byId.get(id);
    return caller && this.#now() < caller.expiresAt ? caller : undefined;
  }

  /** Returns a key from memory. */
  get(id: string): KeyDto | undefined {
    const record = this.#byId.has(id) ? this.#cache.get(id) : undefined;
    return record && toDto(record);
  }

  /** Creates a key; the result is the only one that contains the key's text. */
  async create(input: KeyInput): Promise<(KeyDto & { key: string }) | Refused> {
    if (this.#cache.size >= MAX_KEYS) return new Refused("too_many_keys", `the limit of ${MAX_KEYS} keys is reached`);
    const created = createKey(input, this.#now());
    if (created instanceof Refused) return created;
    const { record, key } = created;
    await this.#cache.create(record.id, record);
    return { ...toDto(record), key };
  }

  async list({ limit, after }: { limit: number; after?: string }): Promise<Page<KeyDto> | Refused> {
    const from = afterOf(after, "key");
    if (from instanceof Refused) return from;
    const found = await this.#cache.list({ limit: limit + 1, ...from });
    return pageOf(found.map(toDto), limit);
  }

  /** Returns false when the key does not exist. */
  async remove(id: string): Promise<boolean> {
    if (!(await this.#cache.remove(id))) return false;
    this.#removed.set(id, true);
    this.#follow(id);
    return true;
  }

  /** Returns undefined for an expired key. */
  #use(caller: KeyCaller): Caller | undefined {
    const now = this.#now();
    if (now >= caller.expiresAt) return undefined;
    if (now - caller.notedAt >= USE_NOTED_MS) this.#noteUse(caller, now);
    return caller;
  }

  #follow(id: string): void {
    const record = this.#removed.has(id) ? undefined : this.#cache.get(id);
    const known = this.#byId.get(id);
    if (record && known) {
      // Only the time of the last use changes. The caller object, with the state of its rate limit, stays.
      known.noted(record.lastUsedAt);
    } else if (record) {
      const caller = new KeyCaller(record, this.#monotonic);
      this.#byId.set(id, caller);
      this.#byDigest.set(record.hash, caller);
    } else if (known) {
      this.#byId.delete(id);
      this.#byDigest.delete(known.hash);
    }
  }

  /** Writes the last use in the background: no request waits for it or fails because of it. */
  #noteUse(caller: KeyCaller, now: number): void {
    caller.notedAt = now;
    const lastUsedAt = new Date(now).toISOString();
    this.#cache
      // Another instance may have written it already. Compare-and-set cannot restore a removed key.
      .update(caller.id, (current) =>
        timeOf(current.lastUsedAt) > now - USE_NOTED_MS ? undefined : { ...current, lastUsedAt },
      )
      // The key was removed, or the store is unavailable, which it logs itself: a use after a minute retries.
      .catch(() => undefined);
  }
}

class KeyCaller implements Caller {
  readonly id: string;
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Last use that this instance wrote, tried to write, or read from the record: milliseconds since the epoch. */
  notedAt: number;
  readonly mayPublish: (topic: string) => boolean;
  readonly #scopes: ReadonlySet<Scope>;
  readonly #publish: readonly string[];
  readonly #read: readonly string[];
  readonly #limiter: Limiter | undefined;

  constructor({ id, hash, scopes, publish, read, rateLimit, expiresAt, lastUsedAt }: KeyRecord, clock: () => number) {
    this.id = id;
    this.hash = hash;
    this.expiresAt = expiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(expiresAt);
    this.notedAt = timeOf(lastUsedAt);
    this.mayPublish = matcher(publish);
    this.#scopes = new Set(scopes);
    this.#publish = publish;
    this.#read = read;
    this.#limiter = rateLimit ? new Limiter(rateLimit, clock) : undefined;
  }

  may(scope: Scope): boolean {
    return this.#scopes.has(scope);
  }

  mayPublishAll(filter: string): boolean {
    return this.#publish.some((granted) => covers(granted, filter));
  }

  mayRead(filter: string): boolean {
    return this.#read.some((granted) => covers(granted, filter));
  }

  take(count: number): Allowance | undefined {
    return this.#limiter?.take(count);
  }

  noted(lastUsedAt: string | null): void {
    this.notedAt = Math.max(this.notedAt, timeOf(lastUsedAt));
  }
}

function timeOf(iso: string | null): number {
  return iso === null ? Number.NEGATIVE_INFINITY : Date.parse(iso);
}

/** Copies fields by name: a field that a newer bridge has added to the record may be a secret. */
function toDto(record: KeyRecord): KeyDto {
  const { id, name, scopes, publish, read, rateLimit, expiresAt, createdAt, lastUsedAt } = record;
  return { id, name, scopes, publish, read, rateLimit, expiresAt, createdAt, lastUsedAt };
}
