import type { Redis } from "ioredis";
import type { Counters } from "../store.ts";
import { pairs, script } from "./script.ts";

/** Runs once for each flush of messages, for which an ioredis transaction would produce 100 KB of garbage. */
const ADD = `
local values = {}
for i = 1, #ARGV, 2 do values[#values + 1] = redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
return values`;

const READ = "return redis.call('HGETALL', KEYS[1])";
const REMOVE = "redis.call('DEL', KEYS[1])";

/** Stores each group as one hash. */
export function redisCounters(client: Redis, prefix: string): Counters {
  const keyOf = (group: string) => `${prefix}:n:${group}`;
  const add = script(client, "counterAdd", 1, ADD);
  const read = script(client, "counterRead", 1, READ);
  const remove = script(client, "counterRemove", 1, REMOVE);
  return {
    async add(group, deltas) {
      const fields = Object.keys(deltas);
      const values = (await add(keyOf(group), ...Object.entries(deltas).flat())) as number[];
      return Object.fromEntries(fields.map((field, i) => [field, values[i]!]));
    },
    async read(group) {
      const found = pairs((await read(keyOf(group))) as string[]);
      return Object.fromEntries(found.map(([field, value]) => [field, Number(value)]));
    },
    async remove(group) {
      await remove(keyOf(group));
    },
  };
}
