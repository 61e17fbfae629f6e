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
import type { ScriptRewrite } from "./script-rewrites.ts";

/** Prefix that exempts a script with at least one key from the refusal. */
export const EVEN_WITHOUT_MEMORY = `redis.call('DEL', KEYS[1] .. ':none')\n`;

/** Head of every script to exempt: it neither calls Redis before the DEL nor declares flags. */
const HEAD = /^--\[\[.*?\]\]\n(?:local (?:maxCount|baseKey) = [^\n]*\n)*\s*local rcall = redis\.call\n/s;

/** BullMQ scripts to exempt. `pause` is the first step of obliterating a queue. */
export const DRAIN_REWRITES: readonly ScriptRewrite[] = [
  ...["moveToActive", "extendLock", "extendLocks", "releaseLock", "moveStalledJobsToWait"],
  ...["moveToFinished", "moveToDelayed", "retryJob", "moveJobFromActiveToWait", "promote", "changeDelay"],
  ...["removeJob", "cleanJobsInSet", "pause", "obliterate"],
].map((script) => ({ script, expected: HEAD, rewrite: (lua) => EVEN_WITHOUT_MEMORY + lua }));
