import type { Redis } from "ioredis";
import type { ExpiringKeys } from "../store.ts";
import { script } from "./script.ts";

/** `SET NX GET` does the same in one command, but only from Redis 7.0 on. */
const SET_IF_ABSENT = `
local there = redis.call('GET', KEYS[1])
if there then return there end
redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])
return false`;

const PUT = "redis.call('SET', KEYS[1], ARGV[1], 'EX', ARGV[2])";
const GET = "return redis.call('GET', KEYS[1])";
const RELEASE = "redis.call('DEL', KEYS[1])";

const RELEASE_IF = `
if redis.call('GET', KEYS[1]) == ARGV[1] then return redis.call('DEL', KEYS[1]) end
return 0`;

export function redisExpiringKeys(client: Redis, prefix: string): ExpiringKeys {
  const keyOf = (key: string) => `${prefix}:c:${key}`;
  const setIfAbsent = script(client, "setIfAbsent", 1, SET_IF_ABSENT);
  const put = script(client, "claimPut", 1, PUT);
  const get = script(client, "expiringGet", 1, GET);
  const release = script(client, "claimRelease", 1, RELEASE);
  const releaseIf = script(client, "release_if", 1, RELEASE_IF);
  return {
    async setIfAbsent(key, value, ttlSeconds) {
      return ((await setIfAbsent(keyOf(key), value, ttlSeconds)) as string | null) ?? undefined;
    },
    async put(key, value, ttlSeconds) {
      await put(keyOf(key), value, ttlSeconds);
    },
    async get(key) {
      return ((await get(keyOf(key))) as string | null) ?? undefined;
    },
    async release(key) {
      await release(keyOf(key));
    },
    async releaseIf(key, value) {
      await releaseIf(keyOf(key), value);
    },
  };
}
