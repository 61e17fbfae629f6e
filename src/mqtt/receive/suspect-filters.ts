/**
 * Finds the requests (a SUBSCRIBE or UNSUBSCRIBE for one filter) that a broker answers by ending the connection, as a
 * pure policy: it is told what was sent, answered and cut off, and says what to send next.
 *
 * Requests without their answer when a connection ends are suspects. Suspects are sent one at a time, so that the next
 * end names one of them; an answer acquits. One that is alone under way at the end of two connections is guilty, and
 * set aside: one end may be a coincidence, such as a restart of the broker. An end counts only on a connection on which
 * the broker has answered something before, or a broker that hangs up on everybody would make every filter guilty.
 *
 * A request that is set aside is tried again from time to time, alone, and one end is enough then.
 */
export interface Guilty {
  key: string;
  reason: string;
}

interface SetAside {
  reason: string;
  /** How often it was found guilty, for the back-off. */
  times: number;
  retryAt: number;
}

/** Ends of a connection, alone under way, that make guilty. */
const STRIKES = 2;
const FIRST_RETRY_MS = 10 * 60_000;
const LONGEST_RETRY_MS = 4 * 3_600_000;
/** The pause after each verdict before something else that was set aside is tried: each failure is a reconnect. */
const QUIET_MS = 60_000;
/** Requests remembered although they are not wanted: a filter that comes and goes must not be found anew each time. */
const MAX_REMEMBERED = 1_000;

export class Suspects {
  /** Ends of a connection with the request alone under way. */
  readonly #strikes = new Map<string, number>();
  readonly #setAside = new Map<string, SetAside>();
  readonly #underWay = new Set<string>();
  #proven = false;
  #quietUntil = 0;

  /** The broker has answered something on this connection. */
  get proven(): boolean {
    return this.#proven;
  }

  /** Whether anything is without its answer. */
  get isWaiting(): boolean {
    return this.#underWay.size > 0;
  }

  sent(key: string): void {
    this.#underWay.add(key);
  }

  /** The broker has answered: a request, or a PINGREQ where none is named. */
  answered(key?: string): void {
    this.#proven = true;
    if (key === undefined) return;
    this.#acquit(key);
    // The broker's rules have changed, so they may have for the others.
    if (this.#setAside.delete(key)) for (const other of this.#setAside.values()) other.retryAt = 0;
  }

  /**
   * The connection has ended.
   * @param why what the broker said, for people
   * @returns the request that was found guilty
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

  /** The keys without those that are set aside: first those to send one at a time, then those to send together. */
  plan(keys: Iterable<string>): { alone: string[]; together: string[] } {
    const alone: string[] = [];
    const together: string[] = [];
    for (const key of keys) {
      if (this.#strikes.has(key)) alone.push(key);
      else if (!this.#setAside.has(key)) together.push(key);
    }
    return { alone, together };
  }

  /** Why it is set aside; undefined when it is not, or is being tried again. */
  reasonFor(key: string): string | undefined {
    return this.#strikes.has(key) ? undefined : this.#setAside.get(key)?.reason;
  }

  /** It is wanted anew, or otherwise than before: no reason to wait longer than the pause after the last verdict. */
  renew(key: string, now: number): void {
    const aside = this.#setAside.get(key);
    if (!aside || this.#strikes.has(key)) return;
    aside.retryAt = 0;
    if (now >= this.#quietUntil) this.suspect(key);
  }

  /** One end of a connection is enough for a verdict. */
  suspect(key: string): void {
    this.#strikes.set(key, STRIKES - 1);
  }

  /** Takes up the first wanted one that is due for another try. @returns whether there was one */
  retry(isWanted: (key: string) => boolean, now: number): boolean {
    const { key, at } = this.#next(isWanted);
    if (key === undefined || at > now) return false;
    this.suspect(key);
    return true;
  }

  /** When the next wanted one is due for another try. */
  nextRetryAt(isWanted: (key: string) => boolean): number | undefined {
    const { key, at } = this.#next(isWanted);
    return key === undefined ? undefined : at;
  }

  /** Those that are set aside, with the reason. */
  *reasons(): Iterable<[key: string, reason: string]> {
    for (const [key, { reason }] of this.#setAside) if (!this.#strikes.has(key)) yield [key, reason];
  }

  /** It has become pointless, or the connection lives on without an answer to it. */
  forget(key: string): void {
    this.#acquit(key);
    this.#setAside.delete(key);
  }

  /** Keeps the number of those bounded that are not wanted; the oldest go first. */
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
