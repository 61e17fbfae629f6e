import type { Redis } from "ioredis";
import type { Counters } from "../store.ts";
import { script } from "./script.ts";

/** Once for each flush of messages, where a transaction of ioredis would make 100 KB of garbage. */
const ADD = `
local values = {}
for i = 1, #ARGV, 2 do values[#values + 1] = redis.call('HINCRBY', KEYS[1], ARGV[i], ARGV[i + 1]) end
return values`;

/** A hash a group. */
export function redisCounters(client: Redis, prefix: string): Counters {
  const keyOf = (group: string) => `${prefix}:n:${group}`;
  const add = script(client, "counterAdd", 1, ADD);
  return {
    async add(group, deltas) {
      const fields = Object.keys(deltas);
      const values = (await add(keyOf(group), ...Object.entries(deltas).flat())) as number[];
      return Object.fromEntries(fields.map((field, i) => [field, values[i]!]));
    },
    async read(group) {
      const found = await client.hgetall(keyOf(group));
      return Object.fromEntries(Object.entries(found).map(([field, value]) => [field, Number(value)]));
    },
    async remove(group) {
      await client.del(keyOf(group));
    },
  };
}
