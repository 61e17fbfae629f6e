/** Caller of the API: its permissions and its rate limit. */
import { Refused } from "../errors.ts";

export const SCOPES = ["publish", "read", "webhooks", "view", "admin"] as const;
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
 * Refuses a topic name that the caller may not publish to.
 * @param path the field that holds the topic, as in `messages[1].topic`
 */
export function checkPublish(caller: Caller, topic: string, path: string): Refused | undefined {
  return caller.mayPublish(topic) ? undefined : forbidden(`the key may not publish to ${topic}`, path);
}

/**
 * Refuses a topic filter, or a topic name, that the caller may not publish to as a whole.
 * @param path the field that holds the filter
 */
export function checkPublishAll(caller: Caller, filter: string, path: string): Refused | undefined {
  return caller.mayPublishAll(filter) ? undefined : forbidden(`the key may not publish to ${filter}`, path);
}

/**
 * Refuses a topic filter, or a topic name, that the caller may not read as a whole.
 * @param path the field that holds the filter, as in `topics[0]`
 */
export function checkRead(caller: Caller, filter: string, path: string): Refused | undefined {
  return caller.mayRead(filter) ? undefined : forbidden(`the key may not read ${filter}`, path);
}

function forbidden(message: string, path: string): Refused {
  return new Refused("forbidden_topic", message, { errors: [{ path, message }] });
}
