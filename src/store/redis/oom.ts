/**
 * What goes on while Redis has no memory left (`OOM command not allowed when used memory > 'maxmemory'`): the steps by
 * which jobs are taken up, end, wait for another attempt and are removed. Were they refused like those that add jobs,
 * a Redis that is full of waiting jobs would never get empty again.
 *
 * Redis refuses a script at its first command that may take memory, unless it has written something before. So a script
 * that shall pass begins with a DEL of nothing. What may be let through takes little room, and has an end: a lock for
 * each job under way, an attempt of about 1 KiB for each call that failed, one record for each webhook. What ends is
 * removed in turn, by `Retention` and by BullMQ itself.
 */
import type { Redis } from "ioredis";

/** In front of a script with at least one key: lets it through. */
export const EVEN_WITHOUT_MEMORY = `redis.call('DEL', KEYS[1] .. ':none')\n`;

/** BullMQ's; each named with its version. `pause` is the first step of removing a whole queue. */
const DRAINING = new RegExp(
  `^(?:${[
    ...["moveToActive", "extendLock", "extendLocks", "releaseLock", "moveStalledJobsToWait"],
    ...["moveToFinished", "moveToDelayed", "retryJob", "moveJobFromActiveToWait", "promote", "changeDelay"],
    ...["removeJob", "cleanJobsInSet", "pause", "obliterate"],
  ].join("|")}):`,
);

/** To be called before BullMQ defines its scripts on the client, which it does when the first queue is opened. */
export function letDrain(client: Redis): void {
  const define = client.defineCommand.bind(client);
  client.defineCommand = (name, definition) =>
    define(name, DRAINING.test(name) ? { ...definition, lua: EVEN_WITHOUT_MEMORY + definition.lua } : definition);
}
