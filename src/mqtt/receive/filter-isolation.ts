/**
 * Isolates the requests (a SUBSCRIBE or UNSUBSCRIBE for one filter) at which a broker ends the connection. Pure policy:
 * it records requests, answers and disconnects, and plans the next requests.
 *
 * Requests unanswered when a connection ends become candidates. Candidates are sent one at a time, so that the next
 * disconnect identifies one of them; an answer clears a candidate. A request is isolated after two disconnects with it
 * alone in flight: a single one may be a coincidence, such as a restart of the broker. A disconnect counts only if the
 * broker has answered something on that connection; otherwise a broker that ends every connection would isolate every
 * filter.
 *
 * An isolated request is retried from time to time, alone; then one disconnect is enough.
 */
import { backoffMs } from "../../lib/backoff.ts";

export interface IsolatedRequest {
  key: string;
  reason: string;
}

interface Isolation {
  reason: string;
  /** How often it was isolated, for the back-off. */
  times: number;
  retryAt: number;
}

/** Disconnects with the request alone in flight after which it is isolated. */
const DISCONNECTS = 2;
const FIRST_RETRY_MS = 10 * 60_000;
const LONGEST_RETRY_MS = 4 * 3_600_000;
/** Pause after each isolation before another isolated request is retried: each failure is a reconnect. */
const QUIET_MS = 60_000;
/** Unwanted requests remembered: a filter that comes and goes must not be identified anew each time. */
const MAX_REMEMBERED = 1_000;

export class FilterIsolation {
  /** Candidates, with the number of disconnects while the request was alone in flight. */
  readonly #candidates = new Map<string, number>();
  readonly #isolated = new Map<string, Isolation>();
  readonly #inFlight = new Set<string>();
  #hasAnswered = false;
  #quietUntil = 0;

  /** Whether the broker has answered something on this connection. */
  get hasAnswered(): boolean {
    return this.#hasAnswered;
  }

  /** Whether any request is unanswered. */
  get isWaiting(): boolean {
    return this.#inFlight.size > 0;
  }

  sent(key: string): void {
    this.#inFlight.add(key);
  }

  /** Records an answer of the broker: to a request, or to PINGREQ if no key is given. */
  answered(key?: string): void {
    this.#hasAnswered = true;
    if (key === undefined) return;
    this.#clear(key);
    // The broker's rules have changed, perhaps for the other requests as well.
    if (this.#isolated.delete(key)) for (const other of this.#isolated.values()) other.retryAt = 0;
  }

  /**
   * Records the end of the connection.
   * @param why the broker's reason, for people
   * @returns the request that is isolated by this, if any
   */
  ended(now: number, why?: string): IsolatedRequest | undefined {
    const inFlight = [...this.#inFlight];
    const hasAnswered = this.#hasAnswered;
    this.#inFlight.clear();
    this.#hasAnswered = false;
    for (const key of inFlight) this.#candidates.set(key, this.#candidates.get(key) ?? 0);
    const [key] = inFlight;
    if (key === undefined || inFlight.length > 1 || !hasAnswered) return undefined;
    const disconnects = this.#candidates.get(key)! + 1;
    this.#candidates.set(key, disconnects);
    if (disconnects < DISCONNECTS) return undefined;
    return { key, reason: this.#isolate(key, now, why) };
  }

  /** Plans the keys that are not isolated: first candidates, to send one at a time, then keys to send in parallel. */
  plan(keys: Iterable<string>): { alone: string[]; together: string[] } {
    const alone: string[] = [];
    const together: string[] = [];
    for (const key of keys) {
      if (this.#candidates.has(key)) alone.push(key);
      else if (!this.#isolated.has(key)) together.push(key);
    }
    return { alone, together };
  }

  /** Why the request is isolated; undefined if it is not, or is being retried. */
  reasonFor(key: string): string | undefined {
    return this.#candidates.has(key) ? undefined : this.#isolated.get(key)?.reason;
  }

  /** The request is wanted again or was changed: retry it as soon as the pause after the last isolation ends. */
  renew(key: string, now: number): void {
    const isolation = this.#isolated.get(key);
    if (!isolation || this.#candidates.has(key)) return;
    isolation.retryAt = 0;
    if (now >= this.#quietUntil) this.makeCandidate(key);
  }

  /** Makes the request a candidate for which one disconnect is enough. */
  makeCandidate(key: string): void {
    this.#candidates.set(key, DISCONNECTS - 1);
  }

  /** Starts the retry of the wanted request that is due first. @returns whether one was due */
  retry(isWanted: (key: string) => boolean, now: number): boolean {
    const { key, at } = this.#next(isWanted);
    if (key === undefined || at > now) return false;
    this.makeCandidate(key);
    return true;
  }

  /** Time at which the next wanted request is due for a retry. */
  nextRetryAt(isWanted: (key: string) => boolean): number | undefined {
    const { key, at } = this.#next(isWanted);
    return key === undefined ? undefined : at;
  }

  /** Isolated requests, with the reason. */
  *reasons(): Iterable<[key: string, reason: string]> {
    for (const [key, { reason }] of this.#isolated) if (!this.#candidates.has(key)) yield [key, reason];
  }

  /** Forgets a request that has become pointless, or is unanswered while the connection is still up. */
  forget(key: string): void {
    this.#clear(key);
    this.#isolated.delete(key);
  }

  /** Bounds the number of remembered unwanted requests; the oldest are removed first. */
  trim(isWanted: (key: string) => boolean): void {
    for (const known of [this.#candidates, this.#isolated]) {
      for (const key of known.keys()) {
        if (known.size <= MAX_REMEMBERED) break;
        if (!isWanted(key)) known.delete(key);
      }
    }
  }

  #clear(key: string): void {
    this.#inFlight.delete(key);
    this.#candidates.delete(key);
  }

  #isolate(key: string, now: number, why: string | undefined): string {
    this.#candidates.delete(key);
    const times = (this.#isolated.get(key)?.times ?? 0) + 1;
    const pause = backoffMs(times, FIRST_RETRY_MS, LONGEST_RETRY_MS);
    const reason = `the broker ends the connection at this filter${why === undefined ? "" : ` (${why})`}`;
    this.#isolated.set(key, { reason, times, retryAt: now + pause });
    this.#quietUntil = now + QUIET_MS;
    return reason;
  }

  #next(isWanted: (key: string) => boolean): { key: string | undefined; at: number } {
    let key: string | undefined;
    let at = Number.POSITIVE_INFINITY;
    for (const [other, { retryAt }] of this.#isolated) {
      if (retryAt >= at || this.#candidates.has(other) || !isWanted(other)) continue;
      key = other;
      at = retryAt;
    }
    return { key, at: Math.max(at, this.#quietUntil) };
  }
}
