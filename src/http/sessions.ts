/** Browser sessions: a random token that stands for an API key, known to all instances through the store. */
import { createHmac, hash } from "node:crypto";
import { LRUCache } from "lru-cache";
import { type Caller, ROOT } from "../keys/caller.ts";
import { randomToken } from "../lib/random-token.ts";
import type { ExpiringKeys } from "../store/store.ts";

export interface SessionsOptions {
  expiringKeys: Pick<ExpiringKeys, "get" | "put" | "release">;
  /** Returns the caller with this key, from memory; undefined if the key was removed or has expired. */
  callerOf(keyId: string): Caller | undefined;
  /** The first API key. Its sessions end when it is replaced. */
  firstKey: string;
  /** Milliseconds since the epoch. */
  now?: () => number;
}

/** An open session in the memory of this instance. */
export interface BrowserSession {
  /** Key in the store: a digest, from which the token cannot be derived. */
  readonly name: string;
  readonly keyId: string;
  /** Milliseconds since the epoch. */
  readonly expiresAt: number;
  /** Whether a portal link opened it. */
  readonly isPortal: boolean;
  /** When it was last read from the store. */
  checkedAt: number;
  isEnded: boolean;
}

/** Value in the store. */
interface StoredSession {
  keyId: string;
  expiresAt: number;
  isPortal?: true;
  /** For the first key, which has no record: a digest of key and token that reveals neither. */
  proof?: string;
}

export const SESSION_MS = 12 * 3_600_000;
/** How long an instance may rely on what it read: a sign-out elsewhere takes effect after at most this time. */
const FRESH_MS = 5_000;
/** Requests that last ask again more often: a stream at each heartbeat. */
const LASTING_MS = 60_000;
const MAX_CACHED = 1_000;

export class Sessions {
  readonly #options: SessionsOptions;
  readonly #now: () => number;
  readonly #cached = new LRUCache<string, BrowserSession>({ max: MAX_CACHED });
  /** Sessions ended here: one read before its end and cached after it must not open again. */
  readonly #ended = new LRUCache<string, true>({ max: MAX_CACHED });
  /** Sessions of requests that last, with the time at which such a request last asked. */
  readonly #lasting = new Map<BrowserSession, number>();
  #timer: NodeJS.Timeout | undefined;

  constructor(options: SessionsOptions) {
    this.#options = options;
    this.#now = options.now ?? Date.now;
  }

  /**
   * Opens a session of a key.
   * @param keyExpiresAt of the key; the session does not outlive it
   * @param until end of a portal session, in milliseconds since the epoch; absent: it lasts {@link SESSION_MS}
   */
  async create(
    keyId: string,
    keyExpiresAt: string | null,
    until?: number,
  ): Promise<{ token: string; seconds: number }> {
    const now = this.#now();
    const token = randomToken();
    const expiresAt = Math.min(
      until ?? now + SESSION_MS,
      keyExpiresAt === null ? Number.POSITIVE_INFINITY : Date.parse(keyExpiresAt),
    );
    const stored: StoredSession = {
      ...{ keyId, expiresAt },
      ...(until !== undefined && { isPortal: true }),
      ...(keyId === ROOT.id && { proof: this.#proofOf(token) }),
    };
    const seconds = Math.max(1, Math.ceil((expiresAt - now) / 1_000));
    await this.#options.expiringKeys.put(nameOf(token), JSON.stringify(stored), seconds);
    return { token, seconds };
  }

  /** Returns an open session with its caller. Reads the store at most once, and not within 5 s after the last read. */
  async find(token: string): Promise<{ session: BrowserSession; caller: Caller } | undefined> {
    const name = nameOf(token);
    const cached = this.#cached.get(name);
    const session = cached && this.#isFresh(cached) ? cached : await this.#read(name, cached, token);
    const caller = session && this.#callerOf(session);
    return session && caller && { session, caller };
  }

  /** Whether a session is still open, for requests that last, without a wait. From then on it is read every 5 s. */
  isOpen(session: BrowserSession): boolean {
    this.#lasting.set(session, this.#now());
    this.#timer ??= setInterval(() => this.#readLasting(), FRESH_MS).unref();
    return this.#callerOf(session) !== undefined;
  }

  /** Ends the session, if there is one. */
  async end(token: string): Promise<void> {
    const name = nameOf(token);
    await this.#options.expiringKeys.release(name);
    this.#ended.set(name, true);
    const cached = this.#cached.get(name);
    if (cached) cached.isEnded = true;
    this.#cached.delete(name);
  }

  #readLasting(): void {
    for (const [session, askedAt] of this.#lasting) {
      if (this.#now() - askedAt >= LASTING_MS || !this.#callerOf(session)) this.#lasting.delete(session);
      // While the store is away, the session stays open until it expires.
      else this.#read(session.name, session).catch(() => undefined);
    }
    if (this.#lasting.size > 0) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
  }

  #callerOf({ keyId, expiresAt, isEnded }: BrowserSession): Caller | undefined {
    return isEnded || this.#now() >= expiresAt ? undefined : this.#options.callerOf(keyId);
  }

  #isFresh({ checkedAt }: BrowserSession): boolean {
    return this.#now() - checkedAt < FRESH_MS;
  }

  /** Reads the session again, or for the first time. @param token needed for the first time */
  async #read(name: string, cached: BrowserSession | undefined, token = ""): Promise<BrowserSession | undefined> {
    const checkedAt = this.#now();
    const text = await this.#options.expiringKeys.get(name);
    if (text === undefined || this.#ended.has(name)) {
      if (cached) cached.isEnded = true;
      this.#cached.delete(name);
      return undefined;
    }
    if (cached) {
      cached.checkedAt = checkedAt;
      return cached;
    }
    const { keyId, expiresAt, proof, isPortal = false } = JSON.parse(text) as StoredSession;
    if (keyId === ROOT.id && proof !== this.#proofOf(token)) return undefined;
    const session = { name, keyId, expiresAt, isPortal, checkedAt, isEnded: false };
    this.#cached.set(name, session);
    return session;
  }

  #proofOf(token: string): string {
    return createHmac("sha256", token).update(this.#options.firstKey).digest("base64url");
  }
}

function nameOf(token: string): string {
  return `session-${hash("sha256", token)}`;
}
