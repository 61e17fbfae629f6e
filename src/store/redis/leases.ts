import type { Redis } from "ioredis";
import type { Leases } from "../store.ts";
import type { Notices } from "./notices.ts";
import { EVEN_WITHOUT_MEMORY } from "./oom.ts";
import { script } from "./script.ts";

/** Works even without memory: otherwise no instance could remove the data that fills it. */
const ACQUIRE = `${EVEN_WITHOUT_MEMORY}
local there = redis.call('GET', KEYS[1])
if there and there ~= ARGV[1] then return there end
redis.call('SET', KEYS[1], ARGV[1], 'PX', ARGV[2])
return ARGV[1]`;

const RELEASE = `
if redis.call('GET', KEYS[1]) ~= ARGV[1] then return end
redis.call('DEL', KEYS[1])
redis.call('PUBLISH', ARGV[2], ARGV[3])`;

const HOLDER = "return redis.call('GET', KEYS[1])";

/** Stores each lease as a key that Redis expires; all leases share one notice channel. */
export function redisLeases(client: Redis, notices: Notices, prefix: string): Leases {
  const keyOf = (name: string) => `${prefix}:l:${name}`;
  const channel = `${prefix}:l`;
  const acquire = script(client, "leaseAcquire", 1, ACQUIRE);
  const holder = script(client, "leaseHolder", 1, HOLDER);
  const release = script(client, "leaseRelease", 1, RELEASE);
  return {
    acquire: async (name, holder, ttlMs) => (await acquire(keyOf(name), holder, ttlMs)) as string,
    release: async (name, holder) => void (await release(keyOf(name), holder, channel, name)),
    holder: async (name) => ((await holder(keyOf(name))) as string | null) ?? undefined,
    watch: (listener) =>
      notices.watch(channel, (name) => {
        if (name !== undefined) listener(name);
      }),
  };
}
