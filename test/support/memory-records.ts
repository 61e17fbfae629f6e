/** In-memory implementation of the store's `Records`, shared by several instances. */
import type { Records, Versioned } from "../../src/store/store.ts";

export interface MemoryRecords<T> extends Records<T> {
  /** While true, watchers are not notified. */
  silent: boolean;
  /** Makes `all` return its initial snapshot only after the returned function is called. */
  hold(): () => void;
}

export function memoryRecords<T>(): MemoryRecords<T> {
  const stored = new Map<string, Versioned<T>>();
  const listeners = new Set<(id: string | undefined) => void>();
  let held: Promise<void> | undefined;
  const told = (id: string, changed: boolean) => {
    if (changed && !records.silent) for (const listener of listeners) listener(id);
    return changed;
  };
  const records: MemoryRecords<T> = {
    silent: false,
    hold() {
      let release = () => {};
      held = new Promise((resolve) => {
        release = resolve;
      });
      return () => {
        held = undefined;
        release();
      };
    },
    get: async (id) => stored.get(id),
    list: async () => [...stored.values()],
    async all() {
      const found = [...stored.values()];
      await held;
      return found;
    },
    count: async () => stored.size,
    async create(id, value) {
      if (stored.has(id)) return false;
      stored.set(id, { id, value, version: 1 });
      return told(id, true);
    },
    async replace(id, value, version) {
      if (stored.get(id)?.version !== version) return false;
      stored.set(id, { id, value, version: version + 1 });
      return told(id, true);
    },
    remove: async (id, version) =>
      told(id, (version === undefined || stored.get(id)?.version === version) && stored.delete(id)),
    async watch(listener) {
      listeners.add(listener);
      return async () => void listeners.delete(listener);
    },
  };
  return records;
}
