import type { Leases } from "./store.ts";
import type { Watchers } from "./watchers.ts";

/** Channel for notices of releases; no collection of records has this name. */
const CHANNEL = ":leases";

/**
 * Leases in memory: the lock on the data directory proves that no other process exists and that every holder in an
 * earlier process is dead. A restart waits for no lease, and renewals cause no disk writes every other second.
 */
export function createProcessLeases(watchers: Watchers): Leases {
  const held = new Map<string, { holder: string; until: number }>();
  const current = (name: string) => {
    const lease = held.get(name);
    return lease && performance.now() < lease.until ? lease.holder : undefined;
  };
  return {
    async acquire(name, holder, ttlMs) {
      const there = current(name);
      if (there !== undefined && there !== holder) return there;
      held.set(name, { holder, until: performance.now() + ttlMs });
      return holder;
    },
    async release(name, holder) {
      if (current(name) !== holder) return;
      held.delete(name);
      watchers.notify(CHANNEL, name);
    },
    holder: async (name) => current(name),
    watch: async (listener) =>
      watchers.add(CHANNEL, (name) => {
        if (name !== undefined) listener(name);
      }),
  };
}
