/**
 * Exempts the scripts that start, end, delay and remove jobs from the refusal of a Redis without memory (`OOM command
 * not allowed when used memory > 'maxmemory'`). If Redis refused them as it refuses new jobs, a Redis full of waiting
 * jobs could never drain.
 *
 * Redis refuses a script at its first command that may allocate memory, unless the script has already written. An
 * exempt script therefore begins with a DEL of a key that does not exist. Exempt scripts need little and bounded
 * memory: a lock for each active job, an attempt of about 1 KiB for each failed call, one record for each webhook.
 * `Retention` and BullMQ itself remove ended jobs.
 */
import type { Redis } from "ioredis";

/** Prefix that exempts a script with at least one key from the refusal. */
export const EVEN_WITHOUT_MEMORY = `redis.call('DEL', KEYS[1] .. ':none')\n`;

/** BullMQ scripts to exempt; each name ends with the version. `pause` is the first step of obliterating a queue. */
const DRAINING = new RegExp(
  `^(?:${[
    ...["moveToActive", "extendLock", "extendLocks", "releaseLock", "moveStalledJobsToWait"],
    ...["moveToFinished", "moveToDelayed", "retryJob", "moveJobFromActiveToWait", "promote", "changeDelay"],
    ...["removeJob", "cleanJobsInSet", "pause", "obliterate"],
  ].join("|")}):`,
);

/** Must be called before BullMQ defines its scripts on the client, that is, before the first queue is opened. */
export function letDrain(client: Redis): void {
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) =>
    define(name, DRAINING.test(name) ? { ...definition, lua: EVEN_WITHOUT_MEMORY + definition.lua } : definition);
}
