/** Who calls, and what they may do: what the API asks of a key. */
import { Problem } from "../errors.ts";

export const SCOPES = ["publish", "read", "webhooks", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** What is left of a rate limit; the figures of the RateLimit headers. */
export interface Allowance {
  allowed: boolean;
  /** Requests that may come at once. */
  limit: number;
  /** How many of them may still come now. */
  remaining: number;
  /** Seconds until all of the limit is there again; when not allowed: until there is room, at least 1. */
  resetSeconds: number;
}

export interface Caller {
  /** `key_…`, or `root` for the first key. */
  readonly id: string;
  may(scope: Scope): boolean;
  /** Whether it may publish to this topic name. */
  mayPublish(topic: string): boolean;
  /** Whether it may publish to everything this topic filter (or topic name) matches. */
  mayPublishAll(filter: string): boolean;
  /** Whether it may read everything this topic filter (or topic name) matches. */
  mayRead(filter: string): boolean;
  /** Takes `count` of its rate limit, or nothing when there is not room for all; undefined where there is no limit. */
  take(count: number): Allowance | undefined;
}

/** The first key: everything. */
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
 * @param path the field from which it comes
 * @throws Problem forbidden_topic
 */
export function requirePublishAll(caller: Caller, filter: string, path: string): void {
  if (!caller.mayPublishAll(filter)) throw forbiddenTopic(`the key may not publish to ${filter}`, path);
}

/**
 * @param filter a topic filter, or a topic name
 * @param path the field that holds it, as in `topics[0]`
 * @throws Problem forbidden_topic
 */
export function requireRead(caller: Caller, filter: string, path: string): void {
  if (!caller.mayRead(filter)) throw forbiddenTopic(`the key may not read ${filter}`, path);
}

function forbiddenTopic(message: string, path: string): Problem {
  return new Problem("forbidden_topic", message, { errors: [{ path, message }] });
}

/**
 * Counts `count` requests against the rate limit. What is more than the whole limit is never allowed.
 * @returns what is left, undefined where there is no limit
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

/** The figures as the headers of draft-ietf-httpapi-ratelimit-headers-06 have them. */
export function rateHeaders({ limit, remaining, resetSeconds }: Allowance): Record<string, string> {
  return {
    "ratelimit-limit": String(limit),
    "ratelimit-remaining": String(remaining),
    "ratelimit-reset": String(resetSeconds),
  };
}
