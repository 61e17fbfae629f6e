import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Subject } from "./store.contract.ts";

export function expiringKeysContract({ store, other }: Subject): void {
  describe("expiring keys", () => {
    test("the first setIfAbsent returns nothing, a later one returns the first one's value", async () => {
      assert.equal(await store().expiringKeys.setIfAbsent("k1", "first", 60), undefined);
      assert.equal(await other().expiringKeys.setIfAbsent("k1", "second", 60), "first");
      assert.equal(await store().expiringKeys.setIfAbsent("k1", "third", 60), "first");
    });

    test("exactly one of many concurrent calls wins, and the others get its value", async () => {
      const answers = await Promise.all(
        Array.from({ length: 20 }, (_, i) => (i % 2 ? store() : other()).expiringKeys.setIfAbsent("k2", String(i), 60)),
      );
      const winner = answers.indexOf(undefined);
      assert.ok(winner >= 0);
      assert.deepEqual(new Set(answers), new Set([undefined, String(winner)]));
    });

    test("put overwrites and release frees", async () => {
      const { expiringKeys } = store();
      await expiringKeys.setIfAbsent("k3", "in progress", 60);
      await expiringKeys.put("k3", "done", 60);
      assert.equal(await expiringKeys.setIfAbsent("k3", "x", 60), "done");
      await expiringKeys.release("k3");
      assert.equal(await expiringKeys.setIfAbsent("k3", "again", 60), undefined);
      await expiringKeys.release("never there");
      await expiringKeys.releaseIf("k3", "another value");
      assert.equal(await expiringKeys.setIfAbsent("k3", "x", 60), "again");
      await expiringKeys.releaseIf("k3", "again");
      assert.equal(await expiringKeys.setIfAbsent("k3", "x", 60), undefined);
      await expiringKeys.put("k4", "made", 60);
      assert.equal(await expiringKeys.setIfAbsent("k4", "x", 60), "made");
    });

    test("get returns the value of any instance, and nothing once it is released", async () => {
      assert.equal(await store().expiringKeys.get("k7"), undefined);
      await store().expiringKeys.put("k7", "value", 60);
      assert.equal(await other().expiringKeys.get("k7"), "value");
      assert.equal(await other().expiringKeys.setIfAbsent("k7", "x", 60), "value");
      await other().expiringKeys.release("k7");
      assert.equal(await store().expiringKeys.get("k7"), undefined);
    });

    test("a key expires after its TTL", async () => {
      const { expiringKeys } = store();
      await expiringKeys.setIfAbsent("k5", "short", 1);
      await expiringKeys.put("k6", "long", 60);
      assert.equal(await expiringKeys.setIfAbsent("k5", "too early", 60), "short");
      await sleep(1_100); // The store uses the real clock.
      assert.deepEqual([await expiringKeys.get("k5"), await expiringKeys.get("k6")], [undefined, "long"]);
      assert.equal(await expiringKeys.setIfAbsent("k5", "next", 60), undefined);
      assert.equal(await expiringKeys.setIfAbsent("k5", "x", 60), "next");
      assert.equal(await expiringKeys.setIfAbsent("k6", "x", 60), "long");
    });
  });
}
