import assert from "node:assert/strict";
import { test } from "node:test";
import { cutText, fileNameOf, hexDump, readPayload } from "../../dashboard/src/components/payload-bytes.ts";
import fc from "../support/property.ts";

test("the bytes are those of the message", () => {
  fc.assert(
    fc.property(fc.uint8Array(), (bytes) => {
      assert.deepEqual(
        Buffer.from(readPayload({ base64: Buffer.from(bytes).toString("base64") }).bytes),
        Buffer.from(bytes),
      );
    }),
  );
  const text = "\ufeff21.50 °C\r\n";
  assert.equal(Buffer.from(readPayload({ text }).bytes).toString(), text);
});

test("the best view comes first", () => {
  const base64 = (bytes: number[]) => Buffer.from(bytes).toString("base64");
  assert.deepEqual(readPayload({ text: ' {"a":21.50}' }).views, ["json", "text", "hex"]);
  assert.deepEqual(readPayload({ text: "{temperature}" }).views, ["text", "hex"]);
  assert.deepEqual(readPayload({ text: "21.50" }).views, ["text", "hex"]);
  assert.deepEqual(readPayload({ text: "a\0b" }).views, ["hex", "text"]);
  assert.deepEqual(readPayload({ base64: base64([0xff, 0xfe]) }).views, ["hex"]);
  assert.deepEqual(readPayload({ base64: base64([0x31, 0x32]) }).views, ["text", "hex"]);
});

test("a dump has 16 bytes a row", () => {
  const dump = hexDump(Buffer.from('{"a":21.50}\n\0\x7f\x80é'));
  assert.equal(
    dump,
    '00000000  7b 22 61 22 3a 32 31 2e 35 30 7d 0a 00 7f c2 80  {"a":21.50}.....\n' +
      `00000010  c3 a9${" ".repeat(42)}  ..`,
  );
});

test("a cut leaves no half of a character", () => {
  assert.equal(cutText("ab😀", 3), "ab");
  assert.equal(cutText("ab😀", 4), "ab😀");
  assert.equal(cutText("abc", 2), "ab");
});

test("file names have no path", () => {
  assert.equal(fileNameOf("../a/b 1", "json"), ".._a_b_1.json");
  assert.equal(fileNameOf("msg_1", "hex"), "msg_1.bin");
});
