import { Redis, type RedisOptions } from "ioredis";
import { StoreConfigError } from "../store.ts";

const FIRST_RETRY_MS = 50;
const MAX_RETRY_MS = 1_000;

/**
 * For ever, at most a second apart. The jitter spreads the thousand workers of one process, which all lose their
 * connection in the same instant.
 */
export function retryDelay(attempt: number): number {
  const ceiling = Math.min(FIRST_RETRY_MS * 2 ** Math.min(attempt - 1, 10), MAX_RETRY_MS);
  return Math.ceil(ceiling / 2 + (Math.random() * ceiling) / 2);
}

/** Without auto-pipelining: its pipelines cost more than the writes that they save (6 % of a delivery, measured). */
const COMMON: RedisOptions = {
  retryStrategy: retryDelay,
  connectTimeout: 5_000,
  // A peer that vanished without a word is noticed by TCP some 20 s later, and on a busy connection by this.
  keepAlive: 10_000,
  // Above the 10 s that BullMQ blocks at most (`BZPOPMIN`), or idle workers would reconnect for ever.
  socketTimeout: 15_000,
  // Two commands less for each of a thousand connections.
  disableClientInfo: true,
};

/** For records, claims and producers: a command rejects at once while Redis is away instead of waiting for it. */
export function failFastClient(url: string): Redis {
  // Nothing blocks on it, so a Redis that is silent for that long is as good as away.
  return new Redis(url, { ...COMMON, socketTimeout: 5_000, enableOfflineQueue: false, maxRetriesPerRequest: 0 });
}

/**
 * For workers, and for the blocking connection BullMQ duplicates from it for each of them. It waits out an outage, so
 * a delivery that ended while Redis was away is still recorded.
 */
export function patientClient(url: string): Redis {
  return new Redis(url, { ...COMMON, maxRetriesPerRequest: null });
}

/** For change notices. Subscribes again itself (`notices.ts`), to know when that is done. */
export function subscriberClient(url: string): Redis {
  return new Redis(url, { ...COMMON, maxRetriesPerRequest: null, autoResubscribe: false });
}

/**
 * Error replies of a Redis that is up but cannot serve: it holds another store, starts, has no memory or disk left, lost
 * its master, runs a script, or lets this user do less than it takes. Redis 6.2 puts where a script failed in front of the code.
 */
const UNABLE =
  /(?:^|: )-?(?:WRONGSTORE|LOADING|OOM|MISCONF|READONLY|MASTERDOWN|CLUSTERDOWN|NOREPLICAS|TRYAGAIN|BUSY|NOPERM|NOAUTH|WRONGPASS)\b/;
/** From within a script NOPERM comes without its code; a command that was renamed or switched off is unknown. */
const DENIED = /The user executing the script can't|^-?ERR unknown (?:sub)?command/i;

/** Whether a command failed because Redis cannot be used now, and not because of the command itself. */
export function isOutage(err: unknown): boolean {
  if (!(err instanceof Error)) return false;
  if (err.name === "ReplyError") {
    // A transaction of which Redis refused a command.
    const { previousErrors = [] } = err as { previousErrors?: unknown[] };
    return UNABLE.test(err.message) || DENIED.test(err.message) || previousErrors.some(isOutage);
  }
  if (err.name === "MaxRetriesPerRequestError" || err.name === "AbortError") return true;
  if ("syscall" in err) return true; // of the socket: ECONNREFUSED, ECONNRESET, …
  return /^(?:Stream isn't writeable|Connection is closed|Socket timeout|connect ETIMEDOUT)/.test(err.message);
}

/** Where it is, without user and password. */
export function redactedAddress(url: string): string {
  try {
    const { protocol, host, pathname } = new URL(url);
    return `${protocol}//${host}${pathname}`;
  } catch {
    throw new StoreConfigError("STORE_URL is not a valid URL. Example: redis://user:password@redis.example:6379/0");
  }
}

/** Errors that waiting does not end, and the way out. */
const NEVER: readonly [pattern: RegExp, advice: string][] = [
  [/NOAUTH/, "it asks for a password. Example: redis://user:password@redis.example:6379/0"],
  [/WRONGPASS|NOPERM/, "correct the user name or the password, or the rights of this user."],
  [/DB index|value is not an integer or out of range/, "there is no database with the number at its end."],
  [/Unknown RESP type/, "something else than Redis answers there. Correct host and port, or use rediss:// for TLS."],
  [/wrong version number/, "no TLS is spoken there. Use redis://, or the port on which Redis speaks TLS."],
];

/**
 * Resolves once the connection can be used, however long that takes. What waiting cannot repair ends it: a refused
 * password, or the caller's signal.
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
      // OpenSSL's messages hold several lines, addresses and source files.
      const why = err.message.includes("SSL routines") ? "wrong TLS version number" : err.message;
      done(() => reject(new StoreConfigError(`Redis cannot be used with this STORE_URL (${why}): ${advice}`)));
    };
    const onAbort = () => done(() => reject(signal?.reason));
    client.on("ready", onReady).on("error", onError);
    signal?.addEventListener("abort", onAbort, { once: true });
    if (signal?.aborted) onAbort();
  });
}
