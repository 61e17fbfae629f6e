/** Records in memory: what is read again never hides what has come to be known meanwhile. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Records, Versioned } from "../src/store/store.ts";
import { View } from "../src/view.ts";

const log = { info() {}, warn() {}, error() {} };

/** Records whose reading of everything is held up, as by a slow store. */
function slowRecords() {
  const stored = new Map<string, Versioned<string>>();
  let tell: (id: string | undefined) => void = () => {};
  let release: (() => void) | undefined;
  const records: Records<string> = {
    get: async (id) => stored.get(id),
    list: async () => [...stored.values()],
    async all() {
      const found = [...stored.values()];
      if (slow.hold) {
        await new Promise<void>((resolve) => {
          release = resolve;
        });
      }
      return found;
    },
    count: async () => stored.size,
    async create(id, value) {
      if (stored.has(id)) return false;
      stored.set(id, { id, value, version: 1 });
      return true;
    },
    async replace(id, value, version) {
      if (stored.get(id)?.version !== version) return false;
      stored.set(id, { id, value, version: version + 1 });
      return true;
    },
    remove: async (id) => stored.delete(id),
    async watch(listener) {
      tell = listener;
      return async () => {};
    },
  };
  const slow = { hold: false, records, tell: (id?: string) => tell(id), release: () => release?.() };
  return slow;
}

async function started() {
  const store = slowRecords();
  const view = new View(store.records, log, "thing");
  await view.create("changed", "old");
  await view.create("removed", "old");
  await view.start();
  return { store, view };
}

describe("a view", () => {
  it("keeps what changes while everything is read again", async () => {
    const { store, view } = await started();
    store.hold = true;
    const reloaded = view.reload();
    await view.create("new", "new");
    await view.update("changed", () => "new");
    await view.remove("removed");
    store.release();
    await reloaded;
    assert.deepEqual([view.get("new"), view.get("changed"), view.get("removed")], ["new", "new", undefined]);
  });

  it("learns by reading again what it was not told", async () => {
    const { store, view } = await started();
    const changed: string[] = [];
    view.onChange((ids) => changed.push(...ids));
    await store.records.create("elsewhere", "new");
    await store.records.replace("changed", "new", 1);
    await store.records.remove("removed");
    await view.reload();
    assert.deepEqual([view.get("elsewhere"), view.get("changed"), view.get("removed")], ["new", "new", undefined]);
    assert.deepEqual(changed.sort(), ["changed", "elsewhere", "removed"]);
  });

  it("refuses to create what is there", async () => {
    const { store, view } = await started();
    await store.records.create("elsewhere", "theirs");
    await assert.rejects(view.create("elsewhere", "ours"), { code: "conflict" });
    assert.notEqual(view.get("elsewhere"), "ours");
  });
});
