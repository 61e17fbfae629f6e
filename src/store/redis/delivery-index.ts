/**
 * Index of each delivery queue's jobs by time of receipt, with their topics. Written inside BullMQ's own scripts, in the
 * atomic step that adds or removes the job; a change of state does not touch it, because the state is read from the
 * queue's own lists. One sorted set per queue: the score is the time, the member `<id> <topic>`.
 */
import type { Redis } from "ioredis";
import { LRUCache } from "lru-cache";
import { matcher } from "../../topic-index.ts";
import type { DeliveryIndex, IndexEntry, IndexFilter, IndexSlice, IndexSpan, IndexState } from "../store.ts";
import { FILL, library, NEWEST, PRUNE } from "./delivery-index-scripts.ts";
import { script } from "./script.ts";
import { luaPattern } from "./script-rewrites.ts";

type Reply = [outcome: number, at: string, id: string, unequal: number, ...entries: string[]];

/** Spans in one call, which delays other users of Redis. */
const SPANS = 250;
/** Jobs of each state in one step while a queue is indexed. */
const STEP = 500;
/** Time after which a queue may be indexed again: bridges of an older version may still be running. */
const AGAIN_MS = 10_000;

export function redisDeliveryIndex(client: Redis, prefix: string): DeliveryIndex {
  const newest = script(client, "indexNewest", 1, library(prefix) + NEWEST);
  const fill = script(client, "indexFill", 1, library(prefix) + FILL);
  const prune = script(client, "indexPrune", 1, PRUNE);
  const base = `${prefix}:q:`;
  const recent = new LRUCache<string, true>({ max: 10_000, ttl: AGAIN_MS });

  /** Makes the index equal to the jobs. Safe beside other instances: every step adds or removes what is right by then. */
  async function index(queue: string): Promise<void> {
    recent.set(queue, true);
    for (let start = 0; (await fill(base, queue, start, start + STEP - 1)) === 1; start += STEP);
    for (let start = 0, found = STEP; found === STEP; ) {
      const [examined, left] = (await prune(base, queue, start, start + STEP - 1)) as [number, number];
      found = examined;
      start += left;
    }
  }

  async function slices(spans: readonly IndexSpan[], filter: IndexFilter, count: number): Promise<IndexSlice[]> {
    const { since = 0, topic, states = [] } = filter;
    const wanted = states.map((state) => `${state},`).join("");
    const args = spans.flatMap(({ queue, before }) => [queue, before.at, before.id]);
    const pattern = topic === undefined ? "" : patternOf(topic);
    const replies = (await newest(base, count, since, pattern, wanted, ...args)) as Reply[];
    const old = spans.map(({ queue }) => queue).filter((queue, i) => replies[i]![3] === 1 && !recent.has(queue));
    if (old.length > 0) {
      await Promise.all(old.map(index));
      return slices(spans, filter, count);
    }
    const isMatch = topic === undefined ? () => true : matcher([topic]);
    return replies.map(([outcome, at, id, , ...flat]) => ({
      entries: toEntries(flat).filter((entry) => isMatch(entry.topic)),
      next: outcome === 1 ? { at: Number(at), id } : undefined,
    }));
  }

  return {
    async newest(spans, filter, count) {
      const calls: Promise<IndexSlice[]>[] = [];
      for (let i = 0; i < spans.length; i += SPANS) calls.push(slices(spans.slice(i, i + SPANS), filter, count));
      return (await Promise.all(calls)).flat();
    },
  };
}

function toEntries(flat: string[]): IndexEntry[] {
  return Array.from({ length: flat.length / 4 }, (_, i) => {
    const [at, id, topic, state] = flat.slice(4 * i, 4 * i + 4) as [string, string, string, IndexState];
    return { at: Number(at), id, topic, state };
  });
}

/** Lua pattern of `topic .. '/'` for a topic filter. It also finds `$` topics, which a leading wildcard must not match. */
function patternOf(filter: string): string {
  const levels = filter.split("/").map((level) => (level === "+" ? "[^/]*" : luaPattern(level)));
  return levels.at(-1) === luaPattern("#")
    ? `^${levels
        .slice(0, -1)
        .map((level) => `${level}/`)
        .join("")}`
    : `^${levels.join("/")}/$`;
}
