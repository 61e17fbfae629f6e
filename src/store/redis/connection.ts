import { Redis, type RedisOptions } from "ioredis";
import { backoffMs, withJitter } from "../../lib/backoff.ts";
import { StoreConfigError } from "../errors.ts";

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;

/**
 * Retry delay, at most one second; retries never end. The jitter spreads the thousand workers of one process, which all
 * lose their connections at the same instant.
 */
export function retryDelay(attempt: number): number {
  return withJitter(backoffMs(attempt, FIRST_RETRY_MS, MAX_RETRY_MS));
}

/** Auto-pipelining stays off: its pipelines cost more than the writes they save (6 % of a delivery, measured). */
const COMMON: RedisOptions = {
  retryStrategy: retryDelay,
  connectTimeout: 5_000,
  // Detects a silently lost peer on an idle connection after about 20 s; `socketTimeout` does so on a busy one.
  keepAlive: 10_000,
  // Above BullMQ's maximum blocking time of 10 s (`BZPOPMIN`), otherwise idle workers would reconnect forever.
  socketTimeout: 15_000,
  // Saves two commands for each of a thousand connections.
  disableClientInfo: true,
};

/** Client for records, expiring keys and producers: commands reject at once while Redis is unavailable. */
export function failFastClient(url: string): Redis {
  // No command blocks on this connection, so a Redis that is silent for 5 s counts as unavailable.
  return new Redis(url, { ...COMMON, socketTimeout: 5_000, enableOfflineQueue: false, maxRetriesPerRequest: 0 });
}

/**
 * Client for workers, and for the blocking connection that BullMQ duplicates from it for each worker. Commands wait
 * until an outage is over, so a delivery that ended during the outage is still recorded.
 */
export function patientClient(url: string): Redis {
  return new Redis(url, { ...COMMON, maxRetriesPerRequest: null });
}

/** Client for change notices. `notices.ts` resubscribes itself, so that it knows when the subscriptions are active. */
export function subscriberClient(url: string): Redis {
  return new Redis(url, { ...COMMON, maxRetriesPerRequest: null, autoResubscribe: false });
}

/**
 * Error replies of a Redis that is up but cannot serve: it holds a different store, is loading, has no memory or disk
 * left, has lost its master, is busy with a script, or denies this user a needed right. Redis 6.2 puts the position of
 * a script's failure in front of the error code.
 */
const UNABLE =
  /(?:^|: )-?(?:WRONGSTORE|LOADING|OOM|MISCONF|READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|TRYAGAIN|BUSY|NOPERM|NOAUTH|WRONGPASS)\b/;
/** Inside a script, NOPERM comes without its error code; a renamed or disabled command is reported as unknown. */
const DENIED = /The user executing the script can't|^-?ERR unknown (?:sub)?command/i;

/** Returns whether a command failed because Redis is unavailable, not because of the command itself. */
export function isOutage(err: unknown): boolean {
  if (!(err instanceof Error)) return false;
  if (err.name === "ReplyError") {
    // A transaction with a command that Redis refused.
    const { previousErrors = [] } = err as { previousErrors?: unknown[] };
    return UNABLE.test(err.message) || DENIED.test(err.message) || previousErrors.some(isOutage);
  }
  if (err.name === "MaxRetriesPerRequestError" || err.name === "AbortError") return true;
  if ("syscall" in err) return true; // a socket error: ECONNREFUSED, ECONNRESET, …
  return /^(?:Stream isn't writeable|Connection is closed|Socket timeout|connect ETIMEDOUT)/.test(err.message);
}

/** Returns the address of Redis without user and password. */
export function redactedAddress(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    throw new StoreConfigError("STORE_URL is not a valid URL. Example: redis://user:password@redis.example:6379/0");
  }
}

/** Errors that no amount of waiting resolves, each with its remedy. */
const NEVER: readonly [pattern: RegExp, advice: string][] = [
  [/NOAUTH/, "it asks for a password. Example: redis://user:password@redis.example:6379/0"],
  [/WRONGPASS|NOPERM/, "correct the user name or the password, or the rights of this user."],
  [/DB index|value is not an integer or out of range/, "there is no database with the number at its end."],
  [/Unknown RESP type/, "something else than Redis answers there. Correct host and port, or use rediss:// for TLS."],
  [/wrong version number/, "no TLS is spoken there. Use redis://, or the port on which Redis speaks TLS."],
];

/**
 * Resolves once the connection is ready, however long that takes. Rejects on an error that waiting cannot resolve, such
 * as a refused password, and when `signal` aborts.
 */
export async function untilReady(client: Redis, signal?: AbortSignal): Promise<void> {
  if (client.status === "ready") return;
  await new Promise<void>((resolve, reject) => {
    const done = (settle: () => void) => {
      client.off("ready", onReady).off("error", onError);
      signal?.removeEventListener("abort", onAbort);
      settle();
    };
    const onReady = () => done(resolve);
    const onError = (err: Error) => {
      const [, advice] = NEVER.find(([pattern]) => pattern.test(err.message)) ?? [];
      if (!advice) return;
      // OpenSSL's messages contain several lines, addresses and source file names.
      const why = err.message.includes("SSL routines") ? "wrong TLS version number" : err.message;
      done(() => reject(new StoreConfigError(`Redis cannot be used with this STORE_URL (${why}): ${advice}`)));
    };
    const onAbort = () => done(() => reject(signal?.reason));
    client.on("ready", onReady).on("error", onError);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}
