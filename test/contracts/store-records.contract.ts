import assert from "node:assert/strict";
import { describe, test } from "node:test";
import type { Subject } from "./store.contract.ts";

interface Hook {
  url: string;
  tags?: string[];
}

export function recordsContract({ store, other }: Subject): void {
  describe("records", () => {
    test("a record is created once, read back, and has version 1", async () => {
      const hooks = store().records<Hook>("create");
      assert.equal(await hooks.create("a", { url: "http://a", tags: [] }), true);
      assert.equal(await hooks.create("a", { url: "http://other" }), false);
      assert.deepEqual(await hooks.get("a"), { id: "a", value: { url: "http://a", tags: [] }, version: 1 });
      assert.equal(await hooks.get("b"), undefined);
    });

    test("values of any content come back unchanged", async () => {
      const values = store().records<unknown>("values");
      const value = {
        text: 'line\u2028\u2029 \u0000 😀 "quoted" \\back',
        big: 2 ** 53 - 1,
        small: 1e-300,
        empty: [[], {}, "", null],
        long: Buffer.alloc(256 * 1024, "é").toString("base64"),
      };
      await values.create("😀 id:with 'everything'", value);
      assert.deepEqual((await values.get("😀 id:with 'everything'"))?.value, value);
    });

    test("get returns nothing for an impossible id", async () => {
      for (const id of ["", "a\u0000b", "%00", "a".repeat(100_000)]) {
        assert.equal(await store().records("odd").get(id), undefined);
      }
    });

    test("collections are separate", async () => {
      await store().records("one").create("x", 1);
      assert.equal(await store().records("two").get("x"), undefined);
      assert.equal(await store().records("two").count(), 0);
    });

    test("records are listed in byte order, page by page, and counted", async () => {
      const sorted = store().records<number>("sorted");
      const ids = ["b", "a", "B", "é", "z", "a-1", "a_1", "~", "10", "9"];
      await Promise.all(ids.map((id, i) => sorted.create(id, i)));
      const expected = [...ids].sort((a, b) => Buffer.compare(Buffer.from(a), Buffer.from(b)));

      assert.deepEqual(
        (await sorted.all()).map((r) => r.id),
        expected,
      );
      assert.equal(await sorted.count(), ids.length);
      const seen: string[] = [];
      for (;;) {
        const page = await sorted.list({ after: seen.at(-1), limit: 4 });
        assert.ok(page.length <= 4);
        if (page.length === 0) break;
        seen.push(...page.map((r) => r.id));
      }
      assert.deepEqual(seen, expected);
    });

    test("all records are listed when they exceed one round trip", async () => {
      const many = store().records<number>("many");
      const ids = Array.from({ length: 1_234 }, (_, i) => String(i).padStart(5, "0"));
      await Promise.all(ids.map((id, i) => many.create(id, i)));
      assert.deepEqual(
        (await many.all()).map((r) => r.id),
        ids,
      );
      assert.equal((await many.list({ limit: 1_100 })).length, 1_100);
    });

    test("replacing requires the current version and increments it", async () => {
      const hooks = store().records<Hook>("replace");
      assert.equal(await hooks.replace("a", { url: "http://1" }, 1), false);
      await hooks.create("a", { url: "http://1" });
      assert.equal(await hooks.replace("a", { url: "http://2" }, 2), false);
      assert.equal(await hooks.replace("a", { url: "http://2" }, 1), true);
      assert.deepEqual(await hooks.get("a"), { id: "a", value: { url: "http://2" }, version: 2 });
      for (let version = 2; version < 12; version += 1) {
        assert.equal(await hooks.replace("a", { url: `http://${version}` }, version), true);
      }
      assert.equal((await hooks.get("a"))?.version, 12);
    });

    test("exactly one of many concurrent replacements wins", async () => {
      const here = store().records<number>("race");
      const there = other().records<number>("race");
      await here.create("a", -1);
      const won = await Promise.all(Array.from({ length: 20 }, (_, i) => (i % 2 ? here : there).replace("a", i, 1)));
      assert.equal(won.filter(Boolean).length, 1);
      assert.deepEqual(await here.get("a"), { id: "a", value: won.indexOf(true), version: 2 });
    });

    test("exactly one of many concurrent creations wins", async () => {
      const race = store().records<number>("create-race");
      const won = await Promise.all(Array.from({ length: 20 }, (_, i) => race.create("a", i)));
      assert.equal(won.filter(Boolean).length, 1);
    });

    test("a removed record is gone, and can be created again from version 1", async () => {
      const hooks = store().records<Hook>("remove");
      await hooks.create("a", { url: "http://1" });
      await hooks.replace("a", { url: "http://2" }, 1);
      assert.equal(await hooks.remove("a"), true);
      assert.equal(await hooks.remove("a"), false);
      assert.equal(await hooks.get("a"), undefined);
      assert.equal(await hooks.count(), 0);
      assert.deepEqual(await hooks.all(), []);
      assert.equal(await hooks.replace("a", { url: "http://3" }, 2), false);
      assert.equal(await hooks.create("a", { url: "http://3" }), true);
      assert.equal((await hooks.get("a"))?.version, 1);
    });

    test("a record is removed at a version only if it has that version", async () => {
      const hooks = store().records<number>("remove-version");
      await hooks.create("a", 1);
      await hooks.replace("a", 2, 1);
      assert.equal(await hooks.remove("a", 1), false);
      assert.equal((await hooks.get("a"))?.value, 2);
      assert.equal(await hooks.remove("a", 2), true);
      assert.equal(await hooks.remove("a", 2), false);
      assert.deepEqual(await hooks.all(), []);
    });

    test("watchers are notified of every change by any instance, until they stop", async () => {
      const mine = store().records<number>("watch");
      const theirs = other().records<number>("watch");
      const heard: (string | undefined)[] = [];
      let wake = () => {};
      const stop = await mine.watch((id) => {
        heard.push(id);
        wake();
      });
      const until = async (length: number) => {
        while (heard.length < length) await new Promise<void>((resolve) => (wake = resolve));
      };

      await theirs.create("a", 1);
      await theirs.create("a", 1); // Changes nothing, so watchers are not notified.
      await theirs.replace("a", 2, 1);
      await theirs.replace("a", 2, 1);
      await theirs.create("b", 1);
      await theirs.remove("a");
      await theirs.remove("a");
      await other().records<number>("watch-not").create("c", 1);
      await theirs.create("last", 1);
      await until(5);
      assert.deepEqual(heard, ["a", "a", "b", "a", "last"]);

      await stop();
      let after = 0;
      const stopAfter = await mine.watch(() => {
        after += 1;
        wake();
      });
      await theirs.create("unheard", 1);
      while (after < 1) await new Promise<void>((resolve) => (wake = resolve));
      assert.equal(heard.length, 5);
      await stopAfter();
    });
  });
}
