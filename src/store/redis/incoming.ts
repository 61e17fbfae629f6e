import type { Redis } from "ioredis";
import type { IncomingEntry, IncomingStore } from "../store.ts";
import { pairs, script } from "./script.ts";

const ALL = "return redis.call('HGETALL', KEYS[1])";
const PUT = "for i = 1, #ARGV, 2 do redis.call('HSET', KEYS[1], ARGV[i], ARGV[i + 1]) end";
const REMOVE = "for i = 1, #ARGV do redis.call('HDEL', KEYS[1], ARGV[i]) end";

/** Stores each session as one hash: HGETALL and HSET stay small, because at most 65,535 messages are incomplete. */
export function redisIncoming(client: Redis, prefix: string, clientId: string): IncomingStore {
  const key = `${prefix}:p:${clientId}`;
  const all = script(client, "incomingAll", 1, ALL);
  const put = script(client, "incomingPut", 1, PUT);
  const remove = script(client, "incomingRemove", 1, REMOVE);
  return {
    async all() {
      const found = pairs((await all(key)) as string[]);
      return new Map(found.map(([id, entry]) => [Number(id), JSON.parse(entry) as IncomingEntry]));
    },
    async write(entries, removed) {
      // No transaction: the entries are independent, and a single connection keeps the order.
      const writes: Promise<unknown>[] = [];
      if (entries.size > 0) {
        const fields = [...entries].flatMap(([id, entry]) => [String(id), JSON.stringify(entry)]);
        writes.push(put(key, ...fields));
      }
      if (removed.length > 0) writes.push(remove(key, ...removed.map(String)));
      await Promise.all(writes);
    },
  };
}
