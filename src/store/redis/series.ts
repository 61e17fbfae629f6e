import type { Redis } from "ioredis";
import type { Series } from "../store.ts";
import { pairs, script } from "./script.ts";

const PUT = `
for i = 3, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i] .. ':' .. ARGV[2], ARGV[i + 1]) end
redis.call('SADD', KEYS[2], ARGV[2])
for _, key in ipairs(KEYS) do redis.call('EXPIRE', key, ARGV[1]) end`;

/** Without the writers of a group, every value of the group would have to be examined. */
const OF = `
local found = {}
for i = 2, #ARGV do
  local values = {}
  for _, writer in ipairs(redis.call('SMEMBERS', KEYS[2] .. ARGV[i])) do
    local value = redis.call('HGET', KEYS[1] .. ARGV[i], ARGV[1] .. ':' .. writer)
    if value then values[#values + 1] = value end
  end
  found[#found + 1] = values
end
return found`;

const PAGE = "return redis.call('HSCAN', KEYS[1], ARGV[1], 'COUNT', 1000)";

/** Stores each group as one hash, with the fields `<id>:<writer>`, and a set of its writers. */
export function redisSeries(client: Redis, prefix: string): Series {
  const [values, writers] = [`${prefix}:s:`, `${prefix}:w:`];
  const put = script(client, "seriesPut", 2, PUT);
  const of = script(client, "seriesOf", 2, OF);
  const page = script(client, "seriesPage", 1, PAGE);
  return {
    async put(group, writer, entries, ttlSeconds) {
      await put(values + group, writers + group, ttlSeconds, writer, ...entries.flat());
    },
    async of(id, groups) {
      return (await of(values, writers, id, ...groups)) as string[][];
    },
    async *all(group) {
      // A scan returns a field again when the hash is resized meanwhile.
      const seen = new Set<string>();
      let cursor = "0";
      do {
        const [next, flat] = (await page(values + group, cursor)) as [string, string[]];
        const found = pairs(flat).filter(([field]) => !seen.has(field));
        for (const [field] of found) seen.add(field);
        yield found.map(([field, value]) => [field.slice(0, field.lastIndexOf(":")), value]);
        cursor = next;
      } while (cursor !== "0");
    },
  };
}
