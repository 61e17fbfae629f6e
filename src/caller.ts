/** Who calls, and what they may do: what the API asks of a key. */

export const SCOPES = ["publish", "read", "webhooks", "admin"] as const;
export type Scope = (typeof SCOPES)[number];

/** What is left of a rate limit; the figures of the RateLimit headers. */
export interface Allowance {
  allowed: boolean;
  /** Requests per window. */
  limit: number;
  remaining: number;
  /** Seconds until there is room again, at least 1 when not allowed. */
  resetSeconds: number;
}

export interface Caller {
  /** `key_…`, or `root` for the first key. */
  readonly id: string;
  may(scope: Scope): boolean;
  /** Whether it may publish to this topic name. */
  mayPublish(topic: string): boolean;
  /** Whether it may read everything this topic filter (or topic name) matches. */
  mayRead(filter: string): boolean;
  /** Takes `count` of its rate limit; undefined where there is none. */
  take(count: number): Allowance | undefined;
}

/** The first key: everything. */
export const ROOT: Caller = {
  id: "root",
  may: () => true,
  mayPublish: () => true,
  mayRead: () => true,
  take: () => undefined,
};
