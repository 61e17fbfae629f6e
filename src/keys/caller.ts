/** Caller of the API: its permissions and its rate limit. */
import { Problem } from "../errors.ts";

export const SCOPES = ["publish", "read", "webhooks", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** State of a rate limit after a request; the values of the RateLimit headers. */
export interface Allowance {
  allowed: boolean;
  /** Maximum number of requests at once. */
  limit: number;
  /** Number of requests still allowed now. */
  remaining: number;
  /** Seconds until the full limit is available again; if not allowed, until the request fits, at least 1. */
  resetSeconds: number;
}

export interface Caller {
  /** `key_…`, or `root` for the first key. */
  readonly id: string;
  may(scope: Scope): boolean;
  /** Returns whether the caller may publish to this topic name. */
  mayPublish(topic: string): boolean;
  /** Returns whether the caller may publish to every topic that this topic filter (or topic name) matches. */
  mayPublishAll(filter: string): boolean;
  /** Returns whether the caller may read every topic that this topic filter (or topic name) matches. */
  mayRead(filter: string): boolean;
  /** Takes `count` requests from the rate limit, or none if not all fit. Returns undefined without a rate limit. */
  take(count: number): Allowance | undefined;
}

/** Caller with the first key: may do everything, without a rate limit. */
export const ROOT: Caller = {
  id: "root",
  may: () => true,
  mayPublish: () => true,
  mayPublishAll: () => true,
  mayRead: () => true,
  take: () => undefined,
};

/**
 * @param path the field that holds the topic, as in `messages[1].topic`
 * @throws Problem forbidden_topic
 */
export function requirePublish(caller: Caller, topic: string, path: string): void {
  if (!caller.mayPublish(topic)) throw forbiddenTopic(`the key may not publish to ${topic}`, path);
}

/**
 * @param filter a topic filter, or a topic name
 * @param path the field that holds the filter
 * @throws Problem forbidden_topic
 */
export function requirePublishAll(caller: Caller, filter: string, path: string): void {
  if (!caller.mayPublishAll(filter)) throw forbiddenTopic(`the key may not publish to ${filter}`, path);
}

/**
 * @param filter a topic filter, or a topic name
 * @param path the field that holds the filter, as in `topics[0]`
 * @throws Problem forbidden_topic
 */
export function requireRead(caller: Caller, filter: string, path: string): void {
  if (!caller.mayRead(filter)) throw forbiddenTopic(`the key may not read ${filter}`, path);
}

function forbiddenTopic(message: string, path: string): Problem {
  return new Problem("forbidden_topic", message, { errors: [{ path, message }] });
}

/**
 * Counts `count` requests against the rate limit. More requests than the limit are never allowed.
 * @returns the remaining allowance, undefined without a rate limit
 * @throws Problem rate_limited
 */
export function requireRate(caller: Caller, count: number): Allowance | undefined {
  const allowance = caller.take(count);
  if (!allowance || allowance.allowed) return allowance;
  const { limit, remaining, resetSeconds } = allowance;
  const detail =
    count > limit
      ? `${count} at once are more than the key's limit of ${limit}`
      : `the key may send ${limit} at once, of which ${remaining} are left; try again in ${resetSeconds} s`;
  const headers = { ...rateHeaders(allowance), "retry-after": String(resetSeconds) };
  throw new Problem("rate_limited", detail, { headers });
}

/** Returns the RateLimit headers of draft-ietf-httpapi-ratelimit-headers-06. */
export function rateHeaders({ limit, remaining, resetSeconds }: Allowance): Record<string, string> {
  return {
    "ratelimit-limit": String(limit),
    "ratelimit-remaining": String(remaining),
    "ratelimit-reset": String(resetSeconds),
  };
}
