import type { Redis } from "ioredis";
import type { Incoming, IncomingEntry } from "../store.ts";

/** A hash a lane: what HGETALL and HSET move at once is small, for at most 65,535 messages are incomplete. */
export function redisIncoming(client: Redis, prefix: string, lane: string): Incoming {
  const key = `${prefix}:p:${lane}`;
  return {
    async all() {
      const found = await client.hgetall(key);
      return new Map(Object.entries(found).map(([id, entry]) => [Number(id), JSON.parse(entry) as IncomingEntry]));
    },
    async write(entries, removed) {
      // No transaction: the entries have nothing to do with each other, and one connection keeps the order.
      const writes: Promise<unknown>[] = [];
      if (entries.size > 0) {
        const fields = [...entries].flatMap(([id, entry]) => [String(id), JSON.stringify(entry)]);
        writes.push(client.hset(key, ...fields));
      }
      if (removed.length > 0) writes.push(client.hdel(key, ...removed.map(String)));
      await Promise.all(writes);
    },
  };
}
