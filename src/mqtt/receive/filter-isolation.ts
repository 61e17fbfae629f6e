/**
 * Isolates the requests (a SUBSCRIBE or UNSUBSCRIBE for one filter) at which a broker ends the connection. Pure
 * functions: they record requests, answers and disconnects in a new state, and plan the next requests.
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

interface Isolated {
  reason: string;
  /** How often it was isolated, for the back-off. */
  times: number;
  retryAt: number;
}

export interface Isolation {
  /** Candidates, with the number of disconnects while the request was alone in flight. */
  candidates: ReadonlyMap<string, number>;
  isolated: ReadonlyMap<string, Isolated>;
  /** Unanswered requests. */
  inFlight: ReadonlySet<string>;
  /** Whether the broker has answered something on this connection. */
  hasAnswered: boolean;
  /** Before this time no isolated request is retried. */
  quietUntil: number;
}

export const NO_ISOLATION: Isolation = {
  candidates: new Map(),
  isolated: new Map(),
  inFlight: new Set(),
  hasAnswered: false,
  quietUntil: 0,
};

/** Disconnects with the request alone in flight after which it is isolated. */
const DISCONNECTS = 2;
const FIRST_RETRY_MS = 10 * 60_000;
const LONGEST_RETRY_MS = 4 * 3_600_000;
/** Pause after each isolation before another isolated request is retried: each failure is a reconnect. */
const QUIET_MS = 60_000;
/** Unwanted requests remembered: a filter that comes and goes must not be identified anew each time. */
const MAX_REMEMBERED = 1_000;

export function recordSent(isolation: Isolation, key: string): Isolation {
  return { ...isolation, inFlight: new Set(isolation.inFlight).add(key) };
}

/** Records an answer of the broker: to a request, or to PINGREQ if no key is given. */
export function recordAnswer(isolation: Isolation, key?: string): Isolation {
  const heard = isolation.hasAnswered ? isolation : { ...isolation, hasAnswered: true };
  if (key === undefined) return heard;
  const cleared = clear(heard, key);
  if (!cleared.isolated.has(key)) return cleared;
  // The broker's rules have changed, perhaps for the other requests as well.
  const others = [...without(cleared.isolated, key)].map(([other, one]) => [other, { ...one, retryAt: 0 }] as const);
  return { ...cleared, isolated: new Map(others) };
}

/**
 * Records the end of the connection.
 * @param why the broker's reason, for people
 * @returns also the request that is isolated now, if any
 */
export function recordEnd(
  before: Isolation,
  now: number,
  why?: string,
): { isolation: Isolation; culprit?: IsolatedRequest } {
  const { inFlight, hasAnswered } = before;
  const candidates = new Map(before.candidates);
  for (const key of inFlight) candidates.set(key, candidates.get(key) ?? 0);
  const isolation: Isolation = { ...before, candidates, inFlight: new Set(), hasAnswered: false };
  const [key] = inFlight;
  if (key === undefined || inFlight.size > 1 || !hasAnswered) return { isolation };
  const disconnects = candidates.get(key)! + 1;
  candidates.set(key, disconnects);
  return disconnects < DISCONNECTS ? { isolation } : isolate(isolation, key, now, why);
}

function isolate(isolation: Isolation, key: string, now: number, why: string | undefined) {
  const times = (isolation.isolated.get(key)?.times ?? 0) + 1;
  const pause = backoffMs(times, FIRST_RETRY_MS, LONGEST_RETRY_MS);
  const reason = `the broker ends the connection at this filter${why === undefined ? "" : ` (${why})`}`;
  const isolated = new Map(isolation.isolated).set(key, { reason, times, retryAt: now + pause });
  const candidates = without(isolation.candidates, key);
  const culprit = { key, reason };
  return { isolation: { ...isolation, candidates, isolated, quietUntil: now + QUIET_MS }, culprit };
}

/** Plans the keys that are not isolated: first candidates, to send one at a time, then keys to send in parallel. */
export function planRequests(
  { candidates, isolated }: Isolation,
  keys: Iterable<string>,
): { alone: string[]; together: string[] } {
  const alone: string[] = [];
  const together: string[] = [];
  for (const key of keys) {
    if (candidates.has(key)) alone.push(key);
    else if (!isolated.has(key)) together.push(key);
  }
  return { alone, together };
}

/** Why the request is isolated; undefined if it is not, or is being retried. */
export function isolationReason({ candidates, isolated }: Isolation, key: string): string | undefined {
  return candidates.has(key) ? undefined : isolated.get(key)?.reason;
}

/** The request is wanted again or was changed: retry it as soon as the pause after the last isolation ends. */
export function renewIsolated(isolation: Isolation, key: string, now: number): Isolation {
  const one = isolation.isolated.get(key);
  if (!one || isolation.candidates.has(key)) return isolation;
  const renewed = { ...isolation, isolated: new Map(isolation.isolated).set(key, { ...one, retryAt: 0 }) };
  return now >= isolation.quietUntil ? makeCandidate(renewed, key) : renewed;
}

/** Makes the request a candidate for which one disconnect is enough. */
export function makeCandidate(isolation: Isolation, key: string): Isolation {
  return { ...isolation, candidates: new Map(isolation.candidates).set(key, DISCONNECTS - 1) };
}

/** Starts the retry of the wanted request that is due first; returns the same state if none is due. */
export function retryIsolated(isolation: Isolation, isWanted: (key: string) => boolean, now: number): Isolation {
  const { key, at } = nextRetry(isolation, isWanted);
  return key === undefined || at > now ? isolation : makeCandidate(isolation, key);
}

/** Time at which the next wanted request is due for a retry. */
export function nextRetryAt(isolation: Isolation, isWanted: (key: string) => boolean): number | undefined {
  const { key, at } = nextRetry(isolation, isWanted);
  return key === undefined ? undefined : at;
}

/** Isolated requests, with the reason. */
export function isolationReasons({ candidates, isolated }: Isolation): [key: string, reason: string][] {
  return [...isolated].filter(([key]) => !candidates.has(key)).map(([key, { reason }]) => [key, reason]);
}

/** Forgets a request that has become pointless, or is unanswered while the connection is still up. */
export function forgetRequest(isolation: Isolation, key: string): Isolation {
  const cleared = clear(isolation, key);
  return cleared.isolated.has(key) ? { ...cleared, isolated: without(cleared.isolated, key) } : cleared;
}

/** Bounds the number of remembered unwanted requests; the oldest are removed first. */
export function trimIsolation(isolation: Isolation, isWanted: (key: string) => boolean): Isolation {
  const { candidates, isolated } = isolation;
  return { ...isolation, candidates: trimmed(candidates, isWanted), isolated: trimmed(isolated, isWanted) };
}

function trimmed<V>(known: ReadonlyMap<string, V>, isWanted: (key: string) => boolean): ReadonlyMap<string, V> {
  if (known.size <= MAX_REMEMBERED) return known;
  const left = new Map(known);
  for (const key of known.keys()) {
    if (left.size <= MAX_REMEMBERED) break;
    if (!isWanted(key)) left.delete(key);
  }
  return left;
}

function clear(isolation: Isolation, key: string): Isolation {
  const { inFlight, candidates } = isolation;
  if (!inFlight.has(key) && !candidates.has(key)) return isolation;
  const unanswered = new Set(inFlight);
  unanswered.delete(key);
  return { ...isolation, inFlight: unanswered, candidates: without(candidates, key) };
}

function nextRetry({ candidates, isolated, quietUntil }: Isolation, isWanted: (key: string) => boolean) {
  let key: string | undefined;
  let at = Number.POSITIVE_INFINITY;
  for (const [other, { retryAt }] of isolated) {
    if (retryAt >= at || candidates.has(other) || !isWanted(other)) continue;
    key = other;
    at = retryAt;
  }
  return { key, at: Math.max(at, quietUntil) };
}

function without<V>(map: ReadonlyMap<string, V>, key: string): ReadonlyMap<string, V> {
  if (!map.has(key)) return map;
  const left = new Map(map);
  left.delete(key);
  return left;
}
