import type { Redis } from "ioredis";
import type { Records, RecordsOptions, Versioned } from "../store.ts";
import type { Notices } from "./notices.ts";
import { EVEN_WITHOUT_MEMORY } from "./oom.ts";
import { script } from "./script.ts";

// A record is stored as "<version> <json>": the scripts read the version without decoding the value, which Lua's JSON
// would change (large numbers, empty arrays). A sorted set also holds the ids, because Redis sorts it by bytes.

const CREATE = `
if redis.call('HSETNX', KEYS[1], ARGV[1], '1 ' .. ARGV[2]) == 0 then return 0 end
redis.call('ZADD', KEYS[2], 0, ARGV[1])
redis.call('PUBLISH', ARGV[3], ARGV[1])
return 1`;

const REPLACE = `
local current = redis.call('HGET', KEYS[1], ARGV[1])
if not current or string.match(current, '^%d+') ~= ARGV[3] then return 0 end
redis.call('HSET', KEYS[1], ARGV[1], string.format('%d ', tonumber(ARGV[3]) + 1) .. ARGV[2])
redis.call('PUBLISH', ARGV[4], ARGV[1])
return 1`;

const REMOVE = `
local current = redis.call('HGET', KEYS[1], ARGV[1])
if not current or (ARGV[3] ~= '' and string.match(current, '^%d+') ~= ARGV[3]) then return 0 end
redis.call('HDEL', KEYS[1], ARGV[1])
redis.call('ZREM', KEYS[2], ARGV[1])
redis.call('PUBLISH', ARGV[2], ARGV[1])
return 1`;

const GET = "return redis.call('HGET', KEYS[1], ARGV[1])";
const COUNT = "return redis.call('HLEN', KEYS[1])";

/** Reads ids and records in one step, so that a record removed in between leaves no gap in a page. */
const LIST = `
local ids = redis.call('ZRANGEBYLEX', KEYS[2], ARGV[1], '+', 'LIMIT', 0, ARGV[2])
if #ids == 0 then return {} end
local page, stored = {}, redis.call('HMGET', KEYS[1], unpack(ids))
for i, id in ipairs(ids) do page[2 * i - 1] = id; page[2 * i] = stored[i] end
return page`;

/** Lua's `unpack` accepts only a few thousand values, and Redis is blocked while it reads a page. */
const PAGE = 500;

function parse<T>(id: string, stored: string): Versioned<T> {
  const space = stored.indexOf(" ");
  return { id, version: Number(stored.slice(0, space)), value: JSON.parse(stored.slice(space + 1)) as T };
}

/** Uses one hash, one sorted set and one notice channel for each collection. */
export function redisRecords<T>(
  client: Redis,
  notices: Notices,
  prefix: string,
  collection: string,
  { evenWithoutMemory = false }: RecordsOptions = {},
): Records<T> {
  const hash = `${prefix}:r:${collection}`;
  const index = `${prefix}:i:${collection}`;
  const channel = `${prefix}:n:${collection}`;
  const writing = (name: string, keys: number, lua: string) =>
    evenWithoutMemory
      ? script(client, `${name}Always`, keys, EVEN_WITHOUT_MEMORY + lua)
      : script(client, name, keys, lua);
  const create = writing("recordCreate", 2, CREATE);
  const replace = writing("recordReplace", 1, REPLACE);
  const remove = script(client, "recordRemove", 2, REMOVE);
  const listScript = script(client, "recordList", 2, LIST);
  const get = script(client, "recordGet", 1, GET);
  const count = script(client, "recordCount", 1, COUNT);

  async function page(after: string | undefined, limit: number): Promise<Versioned<T>[]> {
    const flat = (await listScript(hash, index, after === undefined ? "-" : `(${after}`, limit)) as string[];
    const records: Versioned<T>[] = [];
    for (let i = 0; i < flat.length; i += 2) records.push(parse<T>(flat[i]!, flat[i + 1]!));
    return records;
  }

  /** Returns at most `limit` records, with as many round trips as needed. */
  async function pages(after: string | undefined, limit: number): Promise<Versioned<T>[]> {
    const records: Versioned<T>[] = [];
    let last = after;
    while (records.length < limit) {
      const size = Math.min(PAGE, limit - records.length);
      const next = await page(last, size);
      for (const record of next) records.push(record);
      if (next.length < size) break;
      last = next.at(-1)!.id;
    }
    return records;
  }

  return {
    async get(id) {
      const stored = (await get(hash, id)) as string | null;
      return stored === null ? undefined : parse<T>(id, stored);
    },
    list: ({ after, limit }) => pages(after, limit),
    all: () => pages(undefined, Number.POSITIVE_INFINITY),
    count: async () => (await count(hash)) as number,
    create: async (id, value) => (await create(hash, index, id, JSON.stringify(value), channel)) === 1,
    replace: async (id, value, version) =>
      (await replace(hash, id, JSON.stringify(value), String(version), channel)) === 1,
    remove: async (id, version) => (await remove(hash, index, id, channel, version?.toString() ?? "")) === 1,
    watch: (listener) => notices.watch(channel, listener),
  };
}
