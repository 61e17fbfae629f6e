import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { setTimeout as sleep } from "node:timers/promises";
import type { Subject } from "./store.contract.ts";

const LONG_MS = 60_000;

export function leasesContract({ store, other }: Subject): void {
  describe("leases", () => {
    test("the first instance acquires and renews it, and a second one gets the holder's name", async () => {
      assert.equal(await store().leases.holder("l1"), undefined);
      assert.equal(await store().leases.acquire("l1", "a", LONG_MS), "a");
      assert.equal(await other().leases.acquire("l1", "b", LONG_MS), "a");
      assert.equal(await store().leases.acquire("l1", "a", LONG_MS), "a");
      assert.equal(await other().leases.holder("l1"), "a");
      assert.equal(await other().leases.acquire("l2", "b", LONG_MS), "b", "another lease is another matter");
    });

    test("exactly one of many concurrent instances acquires it, and all get its name", async () => {
      const names = Array.from({ length: 20 }, (_, i) => `i${i}`);
      const answers = await Promise.all(
        names.map((name, i) => (i % 2 ? store() : other()).leases.acquire("l3", name, LONG_MS)),
      );
      assert.equal(new Set(answers).size, 1);
      assert.ok(names.includes(answers[0]!));
    });

    test("only its holder can release it, and watchers are notified", async () => {
      const told: string[] = [];
      let heard = () => {};
      const stop = await other().leases.watch((name) => {
        told.push(name);
        if (name === "l5") heard();
      });
      await store().leases.acquire("l4", "a", LONG_MS);
      await other().leases.release("l4", "b");
      assert.equal(await other().leases.acquire("l4", "b", LONG_MS), "a");
      await store().leases.release("l4", "a");
      await store().leases.release("l4", "a");
      assert.equal(await store().leases.holder("l4"), undefined);
      assert.equal(await other().leases.acquire("l4", "b", LONG_MS), "b");
      await store().leases.acquire("l5", "a", LONG_MS);
      await new Promise<void>((resolve) => {
        heard = resolve;
        void store().leases.release("l5", "a");
      });
      assert.deepEqual(told, ["l4", "l5"], "once for each, and not for what was none");
      await stop();
      await store().leases.release("never there", "a");
    });

    test("it expires unless it is renewed", async () => {
      const { leases } = store();
      await leases.acquire("l6", "a", 300);
      await leases.acquire("l7", "a", 300);
      await leases.acquire("l7", "a", LONG_MS);
      assert.equal(await other().leases.acquire("l6", "b", LONG_MS), "a");
      await sleep(400); // The store uses the real clock.
      assert.equal(await leases.holder("l6"), undefined);
      assert.equal(await other().leases.acquire("l6", "b", LONG_MS), "b");
      assert.equal(await leases.acquire("l6", "a", LONG_MS), "b", "who had it is told that it is gone");
      assert.equal(await leases.acquire("l7", "b", LONG_MS), "a");
    });
  });
}
