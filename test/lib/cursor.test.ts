import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { Refused } from "../../src/errors.ts";
import { afterOf, decodeCursor, encodeCursor, pageOf } from "../../src/lib/cursor.ts";
import { newId } from "../../src/message.ts";
import fc, { codePoint } from "../support/property.ts";

describe("a cursor", () => {
  it("returns any position", () => {
    fc.assert(
      fc.property(fc.string({ unit: codePoint }), (text) => assert.equal(decodeCursor(encodeCursor(text)), text)),
    );
  });

  it("is not accepted with a change", () => {
    const cursor = encodeCursor("key_1");
    for (const text of [`${cursor}=`, `${cursor} `, `%${cursor}`, Buffer.from([0xff]).toString("base64url")]) {
      assert.equal(decodeCursor(text), undefined, text);
    }
  });

  it("belongs to one list", () => {
    const id = newId("key");
    assert.deepEqual(afterOf(encodeCursor(id), "key"), { after: id });
    assert.deepEqual(afterOf(undefined, "key"), {});
    for (const text of [encodeCursor(id.replace("key", "wh")), encodeCursor("key_1"), "", "%"]) {
      const refused = afterOf(text, "key");
      assert.ok(refused instanceof Refused, text);
      assert.deepEqual(refused.errors, [{ path: "query.after", message: "is not a cursor of this list" }]);
    }
  });
});

it("a page has a cursor when another page follows", () => {
  const found = ["a", "b", "c"].map((id) => ({ id }));
  assert.deepEqual(pageOf(found, 2), { items: found.slice(0, 2), nextCursor: encodeCursor("b") });
  assert.deepEqual(pageOf(found, 3), { items: found, nextCursor: null });
  assert.deepEqual(pageOf([], 3), { items: [], nextCursor: null });
});
