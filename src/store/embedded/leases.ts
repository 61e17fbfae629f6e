import type { Leases } from "../store.ts";
import type { Watchers } from "./records.ts";

/** Where releases are told: no collection of records has this name. */
const CHANNEL = ":leases";

/**
 * Leases in memory: the lock on the data directory says that there is no other process, and whoever held a lease in an
 * earlier one is dead. So a restart waits for nobody, and nothing is written to disk every other second.
 */
export function embeddedLeases(watchers: Watchers): Leases {
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
      watchers.tell(CHANNEL, name);
    },
    holder: async (name) => current(name),
    watch: async (listener) =>
      watchers.add(CHANNEL, (name) => {
        if (name !== undefined) listener(name);
      }),
  };
}
