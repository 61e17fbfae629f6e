/**
 * Index of the jobs of all delivery queues by time of receipt, with their topics. Written inside BullMQ's own scripts, in
 * the atomic step that adds or removes the job; a change of state does not touch it, because the state is read from the
 * queue's own lists. One sorted set for each queue: the score is the time, the member `<id> <topic>/`.
 */
import type { Redis } from "ioredis";
import { matcher } from "../../topic-index.ts";
import type { DeliveryIndex, IndexEntry, IndexState } from "../store.ts";
import { CHECK, FILL, library, NEWEST, PRUNE } from "./delivery-index-scripts.ts";
import { script } from "./script.ts";
import { luaPattern } from "./script-rewrites.ts";

type NewestReply = [more: number, at: string, id: string, queue: string, ...entries: string[]];

/** Values of an entry in a reply: time, id, queue, topic, state. */
const WIDTH = 5;

/** Jobs of each state in one step while a queue is indexed. */
const STEP = 500;
/** Queues indexed at once. */
const AT_ONCE = 20;
/** Interval between two checks: bridges of an older version, which keep no index, may be running. */
const CHECK_MS = 10_000;

export function redisDeliveryIndex(client: Redis, prefix: string): DeliveryIndex {
  const newest = script(client, "indexNewest", 1, library(prefix) + NEWEST);
  const check = script(client, "indexCheck", 2, library(prefix) + CHECK);
  const fill = script(client, "indexFill", 1, library(prefix) + FILL);
  const prune = script(client, "indexPrune", 1, library(prefix) + PRUNE);
  const base = `${prefix}:q:`;
  let checked: Promise<void> | undefined;

  /** Makes the index equal to the jobs. Safe beside other instances: each step adds and removes what is right by then. */
  async function index(queue: string): Promise<void> {
    for (let start = 0; (await fill(base, queue, start, start + STEP - 1)) === 1; start += STEP);
    for (let start = 0, examined = STEP; examined === STEP; ) {
      const reply = (await prune(base, queue, start, start + STEP - 1)) as [number, number];
      examined = reply[0];
      start += reply[1];
    }
  }

  async function indexUnequal(): Promise<void> {
    const queues = (await check(base, `${prefix}:b:queues`)) as string[];
    for (let i = 0; i < queues.length; i += AT_ONCE) await Promise.all(queues.slice(i, i + AT_ONCE).map(index));
    setTimeout(() => {
      checked = undefined;
    }, CHECK_MS).unref();
  }

  return {
    async newest({ queues, before, since = 0, topic, states = [] }, count) {
      checked ??= indexUnequal().catch((error) => {
        checked = undefined;
        throw error;
      });
      await checked;
      const wanted = states.map((state) => `${state},`).join("");
      const position = [before.at, before.id, before.queue];
      const args = [count, since, topic === undefined ? "" : patternOf(topic), wanted, ...position, ...queues];
      const [more, at, id, queue, ...flat] = (await newest(base, ...args)) as NewestReply;
      const isMatch = topic === undefined ? () => true : matcher([topic]);
      const entries: IndexEntry[] = [];
      for (let i = 0; i < flat.length; i += WIDTH) {
        const [time, each, of, onTopic, state] = flat.slice(i, i + WIDTH) as [
          string,
          string,
          string,
          string,
          IndexState,
        ];
        if (isMatch(onTopic)) entries.push({ at: Number(time), id: each, queue: of, state });
      }
      return { entries, next: more === 1 ? { at: Number(at), id, queue } : undefined };
    },
  };
}

/** Lua pattern of `topic .. '/'` for a filter. It also finds `$` topics, which a leading wildcard must not match. */
function patternOf(filter: string): string {
  const levels = filter.split("/");
  const isSubtree = levels.at(-1) === "#";
  if (isSubtree) levels.pop();
  const pattern = levels.map((level) => `${level === "+" ? "[^/]*" : luaPattern(level)}/`).join("");
  return `^${pattern}${isSubtree ? "" : "$"}`;
}
