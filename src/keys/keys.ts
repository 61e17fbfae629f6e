/** The API keys but the first: made, listed, removed, and told who a request comes from. */

import { Problem } from "../errors.ts";
import { afterOf, type Page, pageOf } from "../lib/cursor.ts";
import type { RecordCache } from "../store/record-cache.ts";
import { covers, matcher } from "../topic.ts";
import type { Allowance, Caller, Scope } from "./caller.ts";
import { createKey, digestOf, type KeyInput, type KeyRecord, looksLikeKey, MAX_KEYS } from "./key.ts";
import { Limiter } from "./limiter.ts";

export type KeyCache = Omit<KeyRecord, "hash">;

/** How often the time of the last use is written. */
const USE_NOTED_MS = 60_000;
/** How many removed keys are remembered; far more than can be on their way at once. */
const REMEMBERED = 1_000;

export interface KeysOptions {
  view: RecordCache<KeyRecord>;
  /** Milliseconds since the epoch. */
  now?: () => number;
  /** Milliseconds of a clock that nobody sets, for the rate limits. */
  monotonic?: () => number;
}

const MAX_RECENT = 1_000;

export class Keys {
  readonly #cache: RecordCache<KeyRecord>;
  readonly #now: () => number;
  readonly #monotonic: () => number;
  readonly #byId = new Map<string, KeyCaller>();
  readonly #byDigest = new Map<string, KeyCaller>();
  /** Digests of good keys seen lately, so that a busy one is not hashed with every request; at most MAX_RECENT. */
  readonly #recent = new Map<string, string>();
  /** Removed here: what was read before that and comes to the view after it must not let one in again. */
  readonly #removed = new Set<string>();

  /** Follows the view from here on: make it before the view starts. */
  constructor({ view, now = Date.now, monotonic = () => performance.now() }: KeysOptions) {
    this.#cache = view;
    this.#now = now;
    this.#monotonic = monotonic;
    view.onChange((ids) => {
      for (const id of ids) this.#follow(id);
    });
  }

  /** Whose text this is; looks into memory only. An expired key is nobody's. */
  authenticate(bearer: string): Caller | undefined {
    if (!looksLikeKey(bearer)) return undefined;
    const known = this.#recent.get(bearer);
    // The time this takes tells at most something about a digest, from which nobody finds a text. The map before it is
    // keyed by a seeded hash, and holds what this process has been sent and found good.
    const digest = known ?? digestOf(bearer);
    const caller = this.#byDigest.get(digest);
    if (!caller) {
      this.#recent.delete(bearer); // withdrawn
      return undefined;
    }
    if (known === undefined) this.#remember(bearer, digest);
    const now = this.#now();
    if (now >= caller.expiresAt) return undefined;
    if (now - caller.notedAt >= USE_NOTED_MS) this.#noteUse(caller, now);
    return caller;
  }

  #remember(bearer: string, digest: string): void {
    if (this.#recent.size >= MAX_RECENT) this.#recent.clear();
    this.#recent.set(bearer, digest);
  }

  /** The only answer that holds the key's text. @throws Problem */
  async create(input: KeyInput): Promise<KeyCache & { key: string }> {
    if (this.#cache.size >= MAX_KEYS) throw new Problem("too_many_keys", `there may be ${MAX_KEYS} keys`);
    const { record, key } = createKey(input, this.#now());
    await this.#cache.create(record.id, record);
    return { ...shown(record), key };
  }

  async list({ limit, after }: { limit: number; after?: string }): Promise<Page<KeyCache>> {
    const found = await this.#cache.list({ limit: limit + 1, ...afterOf(after, "key") });
    return pageOf(found.map(shown), limit);
  }

  /** @throws Problem not_found */
  async remove(id: string): Promise<void> {
    await this.#cache.remove(id);
    this.#removed.add(id);
    if (this.#removed.size > REMEMBERED) this.#removed.delete(this.#removed.values().next().value!);
    this.#follow(id);
  }

  #follow(id: string): void {
    const record = this.#removed.has(id) ? undefined : this.#cache.get(id);
    const known = this.#byId.get(id);
    if (record && known) {
      // Only the time of use changes. The caller stays, and with it what is left of its rate limit.
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

  /** In the background: no request waits for it, and none fails because of it. */
  #noteUse(caller: KeyCaller, now: number): void {
    caller.notedAt = now;
    const lastUsedAt = new Date(now).toISOString();
    this.#cache
      // Another instance may have written it meanwhile. Compare-and-set: a key that was removed does not come back.
      .update(caller.id, (current) =>
        timeOf(current.lastUsedAt) > now - USE_NOTED_MS ? undefined : { ...current, lastUsedAt },
      )
      // Removed, or the store is away, which it says itself: the next use after a minute tries again.
      .catch(() => undefined);
  }
}

class KeyCaller implements Caller {
  readonly id: string;
  readonly hash: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** When its use was last written, or tried to, by any instance: milliseconds since the epoch. */
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

/** By name: what a newer bridge has put into the record may be a secret. */
function shown(record: KeyRecord): KeyCache {
  const { id, name, scopes, publish, read, rateLimit, expiresAt, createdAt, lastUsedAt } = record;
  return { id, name, scopes, publish, read, rateLimit, expiresAt, createdAt, lastUsedAt };
}
