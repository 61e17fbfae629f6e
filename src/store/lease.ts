/**
 * Exclusive right of one instance among several. An instance tries to acquire the lease periodically, renews it while
 * it holds it, and releases it at a graceful stop, so that another instance gets it at once. After a crash another
 * instance gets it when it expires.
 *
 * Held and valid differ. While the store is unavailable the holder keeps the lease, because usually no other instance
 * can acquire it either; but VALID_MS after the last confirmation another instance may hold it. Work that two instances
 * must never do at the same time checks {@link Lease.isValid}; work that may continue until another instance takes over
 * checks {@link Lease.held}.
 */
import type { Leases } from "./store.ts";

export interface LeaseOptions {
  leases: Leases;
  name: string;
  /** Unique name of this instance. */
  holder: string;
  /** Never acquires the lease, only follows its holder. */
  watchOnly?: boolean;
  /** This instance acquired the lease. Called again only after {@link LeaseOptions.onLost}. */
  onGained(): void;
  /** The store reported that this instance no longer holds the lease. Not called at {@link Lease.stop}. */
  onLost(): void;
  /** The store is unavailable; the lease retries on its own. */
  onError(error: Error): void;
  /** Divides every duration below; for tests. */
  speed?: number;
}

const TTL_MS = 7_000;
/** Counted from the start of the request on a monotonic clock; the difference to TTL_MS covers clock drift. */
const VALID_MS = 6_000;
const RENEW_MS = 2_000;
const TRY_MS = 1_000;
/** After a store outage the last holder may acquire first: its lease may have expired unnoticed during the outage. */
const GRACE_MS = 3_000;

export class Lease {
  #held = false;
  #validUntil = Number.NEGATIVE_INFINITY;
  /** The other holder last reported by the store, and the latest time at which that lease expires. */
  #other: { name: string; until: number } | undefined;
  #storeAway = false;
  #attempting: Promise<void> | undefined;
  #timer: NodeJS.Timeout | undefined;
  #stopWatching: (() => Promise<void>) | undefined;
  #stopped = false;
  readonly #speed: number;

  constructor(private readonly options: LeaseOptions) {
    this.#speed = options.speed ?? 1;
  }

  /** Whether the lease was acquired and its loss has not been reported. */
  get held(): boolean {
    return this.#held;
  }

  /** Milliseconds for which no other instance can hold the lease; 0 when that is not certain. */
  get validMs(): number {
    return this.#held ? Math.max(0, this.#validUntil - performance.now()) : 0;
  }

  get isValid(): boolean {
    return this.validMs > 0;
  }

  /** Name of the holder, this instance included; undefined when unknown. */
  get holder(): string | undefined {
    if (this.#held) return this.options.holder;
    return this.#other && performance.now() < this.#other.until ? this.#other.name : undefined;
  }

  /** Resolves after the first attempt, whatever its outcome. Rejects when the subscription to releases fails. */
  async start(): Promise<void> {
    this.#stopWatching = await this.options.leases.watch((name) => {
      if (name === this.options.name && !this.#held) void this.check();
    });
    await this.check();
  }

  /** Queries the store now. Resolves after its response or its failure; never rejects. */
  check(): Promise<void> {
    this.#attempting ??= this.#attempt().finally(() => {
      this.#attempting = undefined;
    });
    return this.#attempting;
  }

  /** Returns whether the lease is valid, querying the store if necessary. Never rejects. */
  async confirm(): Promise<boolean> {
    if (!this.isValid) await this.check();
    return this.isValid;
  }

  /** Releases the lease; the work that it protects must have ended. Never rejects. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#attempting;
    this.#held = false;
    const { leases, name, holder, onError } = this.options;
    // Releases even a lease that is not known to be held: the response to an attempt may have been lost.
    await leases.release(name, holder).catch(onError);
    await this.#stopWatching?.().catch(() => undefined);
  }

  async #attempt(): Promise<void> {
    clearTimeout(this.#timer);
    if (this.#stopped) return;
    let next = TRY_MS;
    try {
      if (this.#storeAway && !this.#held) {
        await this.options.leases.holder(this.options.name);
        next = GRACE_MS;
      } else if (await this.#ask()) next = RENEW_MS;
      this.#storeAway = false;
    } catch (error) {
      this.#storeAway = true;
      this.options.onError(error as Error);
    }
    if (!this.#stopped) this.#timer = setTimeout(() => void this.check(), next / this.#speed).unref();
  }

  async #ask(): Promise<boolean> {
    const { leases, name, holder, watchOnly = false } = this.options;
    const askedAt = performance.now();
    const has = watchOnly
      ? await leases.holder(name)
      : await leases.acquire(name, holder, Math.ceil(TTL_MS / this.#speed));
    const before = this.#held;
    // A previous process of this instance, with other roles, may have left the lease.
    this.#held = !watchOnly && has === holder;
    if (this.#held) this.#validUntil = askedAt + VALID_MS / this.#speed;
    else this.#other = has === undefined ? undefined : { name: has, until: performance.now() + TTL_MS / this.#speed };
    if (this.#stopped) return this.#held;
    if (this.#held && !before) this.options.onGained();
    if (!this.#held && before) this.options.onLost();
    return this.#held;
  }
}
