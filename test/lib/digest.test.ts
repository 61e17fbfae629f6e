import assert from "node:assert/strict";
import { it } from "node:test";
import { constantTimeEqual, shortDigest } from "../../src/lib/digest.ts";

it("a short digest is 22 characters of base64url, over the parts in order", () => {
  assert.match(shortDigest("a"), /^[A-Za-z0-9_-]{22}$/);
  assert.equal(shortDigest("a", Buffer.from("b")), shortDigest("ab"));
  assert.notEqual(shortDigest("a", "b"), shortDigest("b", "a"));
});

it("texts are equal only as a whole", () => {
  assert.ok(constantTimeEqual("ä", "ä"));
  for (const other of ["", "a", "ä ", "Ä"]) assert.equal(constantTimeEqual("ä", other), false, other);
});
