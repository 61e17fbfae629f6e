/** Record cache: a reload never hides changes that arrived meanwhile. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { RecordCache } from "../../src/store/record-cache.ts";
import { memoryRecords } from "../support/memory-records.ts";

const log = { info() {}, warn() {}, error() {} };

async function started() {
  const records = memoryRecords<string>();
  const view = new RecordCache(records, log, "thing");
  await view.create("changed", "old");
  await view.create("removed", "old");
  await view.start();
  return { records, view };
}

describe("a record cache", () => {
  it("keeps changes that arrive during a reload", async () => {
    const { records, view } = await started();
    records.silent = true;
    const release = records.hold();
    const reloaded = view.reload();
    await view.create("new", "new");
    await view.update("changed", () => "new");
    await view.remove("removed");
    release();
    await reloaded;
    assert.deepEqual([view.get("new"), view.get("changed"), view.get("removed")], ["new", "new", undefined]);
  });

  it("learns of missed changes by a reload", async () => {
    const { records, view } = await started();
    records.silent = true;
    const changed: string[] = [];
    view.onChange((ids) => changed.push(...ids));
    await records.create("elsewhere", "new");
    await records.replace("changed", "new", 1);
    await records.remove("removed");
    await view.reload();
    assert.deepEqual([view.get("elsewhere"), view.get("changed"), view.get("removed")], ["new", "new", undefined]);
    assert.deepEqual(changed.sort(), ["changed", "elsewhere", "removed"]);
  });

  it("loads one record before its notice arrives, and notifies its listeners", async () => {
    const { records, view } = await started();
    records.silent = true;
    const changed: string[] = [];
    view.onChange((ids) => changed.push(...ids));
    await records.create("elsewhere", "new");
    await view.ensureCached("elsewhere");
    await view.ensureCached("nowhere");
    assert.deepEqual([view.get("elsewhere"), view.get("nowhere"), changed], ["new", undefined, ["elsewhere"]]);
  });

  it("refuses to create an existing record", async () => {
    const { records, view } = await started();
    records.silent = true;
    await records.create("elsewhere", "theirs");
    assert.equal(await view.create("elsewhere", "ours"), false);
    assert.notEqual(view.get("elsewhere"), "ours");
  });
});
