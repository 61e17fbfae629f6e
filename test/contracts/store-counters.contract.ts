import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Subject } from "./store.contract.ts";

export function countersContract({ store, other }: Subject): void {
  describe("counters", () => {
    test("an unused counter is absent, and add returns the new values", async () => {
      const { counters } = store();
      assert.deepEqual(await counters.read("n1"), {});
      assert.deepEqual(await counters.add("n1", { a: 2, b: 5 }), { a: 2, b: 5 });
      assert.deepEqual(await other().counters.add("n1", { a: 1, c: -3 }), { a: 3, c: -3 });
      assert.deepEqual(await store().counters.read("n1"), { a: 3, b: 5, c: -3 });
    });

    test("concurrent additions are all counted, and each returns a different value", async () => {
      const answers = await Promise.all(
        Array.from({ length: 50 }, (_, i) => (i % 2 ? store() : other()).counters.add("n2", { x: 1 })),
      );
      assert.deepEqual(new Set(answers.map(({ x }) => x)), new Set(Array.from({ length: 50 }, (_, i) => i + 1)));
    });

    test("groups are independent, and removing one keeps the others", async () => {
      const { counters } = store();
      await counters.add("n3", { x: 1 });
      await counters.add("n4", { x: 9 });
      await counters.remove("n3");
      await counters.remove("never there");
      assert.deepEqual(await counters.read("n3"), {});
      assert.deepEqual(await counters.read("n4"), { x: 9 });
    });

    test("numbers beyond 32 bits are exact", async () => {
      const { counters } = store();
      await counters.add("n5", { x: 2 ** 40 });
      assert.deepEqual(await counters.add("n5", { x: 1 }), { x: 2 ** 40 + 1 });
    });
  });
}
