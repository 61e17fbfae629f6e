import type { Redis } from "ioredis";
import type { Counters } from "../store.ts";

/** A hash a group. */
export function redisCounters(client: Redis, prefix: string): Counters {
  const keyOf = (group: string) => `${prefix}:n:${group}`;
  return {
    async add(group, deltas) {
      const fields = Object.keys(deltas);
      const transaction = client.multi();
      for (const field of fields) transaction.hincrby(keyOf(group), field, deltas[field]!);
      const results = (await transaction.exec()) ?? [];
      return Object.fromEntries(
        results.map(([error, value], i) => {
          if (error) throw error;
          return [fields[i]!, value as number];
        }),
      );
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
