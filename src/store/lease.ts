/**
 * What one instance of several does alone: whoever holds the lease. It is asked for again and again, renewed while it
 * is held, and given back at a graceful stop, so that a successor has it at once; after a crash it has it when the
 * lease has run out.
 *
 * Held and surely held are two things. While the store cannot be asked a holder goes on holding, for most often nobody
 * else can have it either; but after VALID_MS without a confirmation it may belong to another one. What must never be
 * done by two looks at {@link Lease.isValid}; what may go on until somebody else does it looks at {@link Lease.held}.
 */
import type { Leases } from "./store.ts";

export interface LeaseOptions {
  leases: Leases;
  name: string;
  /** This instance; a name that nobody else has. */
  holder: string;
  /** Never takes it, and only knows who has it. */
  watchOnly?: boolean;
  /** It is ours. Comes again only after {@link LeaseOptions.onLost}. */
  onGained(): void;
  /** The store said that another one has it. Not called at {@link Lease.stop}. */
  onLost(): void;
  /** The store cannot be asked; tried again by itself. */
  onError(error: Error): void;
  /** For tests: every time below is this many times as short. */
  speed?: number;
}

const TTL_MS = 7_000;
/** Counted from the moment of asking, by a clock that nobody sets; the rest is for clocks that differ in pace. */
const VALID_MS = 6_000;
const RENEW_MS = 2_000;
const TRY_MS = 1_000;
/** After an outage of the store its last holder comes first: in the outage the lease may have run out unseen. */
const GRACE_MS = 3_000;

export class Lease {
  #held = false;
  #validUntil = Number.NEGATIVE_INFINITY;
  /** Who else has it, as we were told last, and until when that can be. */
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

  /** Gained, and nobody said that it was lost. */
  get held(): boolean {
    return this.#held;
  }

  /** Milliseconds for which nobody else can have it; 0 when that is not sure. */
  get validMs(): number {
    return this.#held ? Math.max(0, this.#validUntil - performance.now()) : 0;
  }

  get isValid(): boolean {
    return this.validMs > 0;
  }

  /** Who has it, this instance included; undefined when that is not known. */
  get holder(): string | undefined {
    if (this.#held) return this.options.holder;
    return this.#other && performance.now() < this.#other.until ? this.#other.name : undefined;
  }

  /** Resolves after the first try, whatever its outcome. Rejects when the store is away. */
  async start(): Promise<void> {
    this.#stopWatching = await this.options.leases.watch((name) => {
      if (name === this.options.name && !this.#held) void this.check();
    });
    await this.check();
  }

  /** Asks the store now. Resolves with its answer, or when it did not answer; never rejects. */
  check(): Promise<void> {
    this.#attempting ??= this.#attempt().finally(() => {
      this.#attempting = undefined;
    });
    return this.#attempting;
  }

  /** Whether it is surely held, asking the store if need be. Never rejects. */
  async confirm(): Promise<boolean> {
    if (!this.isValid) await this.check();
    return this.isValid;
  }

  /** Gives it back: what it is for must have ended before. Never rejects. Idempotent. */
  async stop(): Promise<void> {
    this.#stopped = true;
    clearTimeout(this.#timer);
    await this.#attempting;
    this.#held = false;
    const { leases, name, holder, onError } = this.options;
    // Also when we do not know that we have it: the answer to a try may have been lost.
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
    // An earlier life of this instance may have left it behind, and had other roles.
    this.#held = !watchOnly && has === holder;
    if (this.#held) this.#validUntil = askedAt + VALID_MS / this.#speed;
    else this.#other = has === undefined ? undefined : { name: has, until: performance.now() + TTL_MS / this.#speed };
    if (this.#stopped) return this.#held;
    if (this.#held && !before) this.options.onGained();
    if (!this.#held && before) this.options.onLost();
    return this.#held;
  }
}
