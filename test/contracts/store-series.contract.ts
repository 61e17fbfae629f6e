import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { eventually } from "../support/eventually.ts";
import type { Subject } from "./store.contract.ts";

export function seriesContract({ store, other }: Subject): void {
  const all = async (group: string) => {
    const values: [string, string][] = [];
    for await (const page of other().series.all(group)) values.push(...page);
    return values.sort();
  };
  const of = async (id: string, ...groups: string[]) =>
    (await other().series.of(id, groups)).map((values) => values.sort());

  describe("series", () => {
    test("unused groups are empty", async () => {
      assert.deepEqual(await of("a", "s0-1", "s0-2"), [[], []]);
      assert.deepEqual(await all("s0-1"), []);
    });

    test("values are kept for each id, writer and group, and a writer replaces its own", async () => {
      const { series } = store();
      await series.put("s1-1", "w", [["a", "1"]], 60);
      await series.put("s1-1", "x", [["a", "2"]], 60);
      await series.put("s1-1", "w", [["a", "3;"], ["b", "4"]], 60); // biome-ignore format: one line a call
      await series.put("s1-2", "w", [["a", "5"]], 60);
      assert.deepEqual(await of("a", "s1-2", "s1-1", "s1-3"), [["5"], ["2", "3;"], []]);
      assert.deepEqual(await all("s1-1"), [["a", "2"], ["a", "3;"], ["b", "4"]]); // biome-ignore format: one line
    });

    test("a group of several pages is read completely, each value once", async () => {
      const values = Array.from({ length: 2_500 }, (_, i): [string, string] => [`id-${i}`, String(i)]);
      await store().series.put("s2-1", "w", values, 60);
      await store().series.put("s2-1", "x", values.slice(0, 10), 60);
      assert.deepEqual(await all("s2-1"), [...values, ...values.slice(0, 10)].sort());
    });

    test("a group expires as a whole, later after each write", async () => {
      const { series } = store();
      await series.put("s3-1", "w", [["a", "1"]], 1);
      await series.put("s3-2", "w", [["a", "2"]], 1);
      await series.put("s3-2", "x", [["b", "3"]], 600);
      await eventually(
        () => of("a", "s3-1"),
        ([values]) => values!.length === 0,
      );
      assert.deepEqual([await all("s3-1"), await all("s3-2")], [[], [["a", "2"], ["b", "3"]]]); // biome-ignore format: one line
    });
  });
}
