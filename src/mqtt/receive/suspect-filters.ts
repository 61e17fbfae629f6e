/**
 * Finds the requests (a SUBSCRIBE or UNSUBSCRIBE for one filter) at which a broker ends the connection. Pure policy: it
 * records requests, answers and disconnects, and plans the next requests.
 *
 * Requests unanswered when a connection ends become suspects. Suspects are sent one at a time, so that the next
 * disconnect identifies one of them; an answer acquits. A request that is alone in flight at the end of two connections
 * is guilty and set aside: a single disconnect may be a coincidence, such as a restart of the broker. A disconnect
 * counts only if the broker has answered something on that connection; otherwise a broker that ends every connection
 * would make every filter guilty.
 *
 * A request that is set aside is retried from time to time, alone; then one disconnect is enough.
 */
export interface Guilty {
  key: string;
  reason: string;
}

interface SetAside {
  reason: string;
  /** Number of verdicts, for the back-off. */
  times: number;
  retryAt: number;
}

/** Disconnects with the request alone in flight that make it guilty. */
const STRIKES = 2;
const FIRST_RETRY_MS = 10 * 60_000;
const LONGEST_RETRY_MS = 4 * 3_600_000;
/** Pause after each verdict before another request that was set aside is retried: each failure is a reconnect. */
const QUIET_MS = 60_000;
/** Unwanted requests remembered: a filter that comes and goes must not be identified anew each time. */
const MAX_REMEMBERED = 1_000;

export class Suspects {
  /** Suspects, with the number of disconnects while the request was alone in flight. */
  readonly #strikes = new Map<string, number>();
  readonly #setAside = new Map<string, SetAside>();
  readonly #underWay = new Set<string>();
  #proven = false;
  #quietUntil = 0;

  /** Whether the broker has answered something on this connection. */
  get proven(): boolean {
    return this.#proven;
  }

  /** Whether any request is unanswered. */
  get isWaiting(): boolean {
    return this.#underWay.size > 0;
  }

  sent(key: string): void {
    this.#underWay.add(key);
  }

  /** Records an answer of the broker: to a request, or to PINGREQ if no key is given. */
  answered(key?: string): void {
    this.#proven = true;
    if (key === undefined) return;
    this.#acquit(key);
    // The broker's rules have changed, perhaps for the other requests as well.
    if (this.#setAside.delete(key)) for (const other of this.#setAside.values()) other.retryAt = 0;
  }

  /**
   * Records the end of the connection.
   * @param why the broker's reason, for people
   * @returns the request found guilty, if any
   */
  ended(now: number, why?: string): Guilty | undefined {
    const underWay = [...this.#underWay];
    const proven = this.#proven;
    this.#underWay.clear();
    this.#proven = false;
    for (const key of underWay) this.#strikes.set(key, this.#strikes.get(key) ?? 0);
    const [key] = underWay;
    if (key === undefined || underWay.length > 1 || !proven) return undefined;
    const strikes = this.#strikes.get(key)! + 1;
    this.#strikes.set(key, strikes);
    if (strikes < STRIKES) return undefined;
    return { key, reason: this.#condemn(key, now, why) };
  }

  /** Plans the keys that are not set aside: first suspects, to send one at a time, then keys to send in parallel. */
  plan(keys: Iterable<string>): { alone: string[]; together: string[] } {
    const alone: string[] = [];
    const together: string[] = [];
    for (const key of keys) {
      if (this.#strikes.has(key)) alone.push(key);
      else if (!this.#setAside.has(key)) together.push(key);
    }
    return { alone, together };
  }

  /** Why the request is set aside; undefined if it is not, or is being retried. */
  reasonFor(key: string): string | undefined {
    return this.#strikes.has(key) ? undefined : this.#setAside.get(key)?.reason;
  }

  /** The request is wanted again or was changed: retry it as soon as the pause after the last verdict ends. */
  renew(key: string, now: number): void {
    const aside = this.#setAside.get(key);
    if (!aside || this.#strikes.has(key)) return;
    aside.retryAt = 0;
    if (now >= this.#quietUntil) this.suspect(key);
  }

  /** Makes the request a suspect for which one disconnect is enough. */
  suspect(key: string): void {
    this.#strikes.set(key, STRIKES - 1);
  }

  /** Starts the retry of the wanted request that is due first. @returns whether one was due */
  retry(isWanted: (key: string) => boolean, now: number): boolean {
    const { key, at } = this.#next(isWanted);
    if (key === undefined || at > now) return false;
    this.suspect(key);
    return true;
  }

  /** Time at which the next wanted request is due for a retry. */
  nextRetryAt(isWanted: (key: string) => boolean): number | undefined {
    const { key, at } = this.#next(isWanted);
    return key === undefined ? undefined : at;
  }

  /** Requests that are set aside, with the reason. */
  *reasons(): Iterable<[key: string, reason: string]> {
    for (const [key, { reason }] of this.#setAside) if (!this.#strikes.has(key)) yield [key, reason];
  }

  /** Forgets a request that has become pointless, or is unanswered while the connection is still up. */
  forget(key: string): void {
    this.#acquit(key);
    this.#setAside.delete(key);
  }

  /** Bounds the number of remembered unwanted requests; the oldest are removed first. */
  trim(isWanted: (key: string) => boolean): void {
    for (const known of [this.#strikes, this.#setAside]) {
      for (const key of known.keys()) {
        if (known.size <= MAX_REMEMBERED) break;
        if (!isWanted(key)) known.delete(key);
      }
    }
  }

  #acquit(key: string): void {
    this.#underWay.delete(key);
    this.#strikes.delete(key);
  }

  #condemn(key: string, now: number, why: string | undefined): string {
    this.#strikes.delete(key);
    const times = (this.#setAside.get(key)?.times ?? 0) + 1;
    const pause = Math.min(FIRST_RETRY_MS * 2 ** (times - 1), LONGEST_RETRY_MS);
    const reason = `the broker ends the connection at this filter${why === undefined ? "" : ` (${why})`}`;
    this.#setAside.set(key, { reason, times, retryAt: now + pause });
    this.#quietUntil = now + QUIET_MS;
    return reason;
  }

  #next(isWanted: (key: string) => boolean): { key: string | undefined; at: number } {
    let key: string | undefined;
    let at = Number.POSITIVE_INFINITY;
    for (const [candidate, { retryAt }] of this.#setAside) {
      if (retryAt >= at || this.#strikes.has(candidate) || !isWanted(candidate)) continue;
      key = candidate;
      at = retryAt;
    }
    return { key, at: Math.max(at, this.#quietUntil) };
  }
}
