import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { fromStored, type Message, newId, type StoredMessage, toStored, utf8Text } from "../src/message.ts";
import fc, { codePoint } from "./support/property.ts";

const bytes = fc.uint8Array({ maxLength: 300 }).map((array) => Buffer.from(array));
const anyText = fc.string({ unit: codePoint }).map((string) => string.toWellFormed());
const payload = fc.oneof(
  bytes,
  anyText.map((string) => Buffer.from(string)),
);
const text = anyText.filter((string) => !string.includes("\u0000"));
const name = text.filter((string) => string !== "__proto__");
const anyMessage: fc.Arbitrary<Message> = fc.record(
  {
    id: fc.constant("msg_1"),
    topic: text,
    payload,
    qos: fc.constantFrom(0, 1, 2),
    retain: fc.boolean(),
    receivedAt: fc.integer({ min: 0, max: 8.64e15 }),
    contentType: text,
    responseTopic: text,
    correlationData: bytes,
    userProperties: fc.dictionary(name, fc.oneof(text, fc.array(text, { minLength: 2 })), { noNullPrototype: true }),
  },
  { requiredKeys: ["id", "topic", "payload", "qos", "retain", "receivedAt"], noNullPrototype: true },
);
const throughJson = (stored: StoredMessage) => JSON.parse(JSON.stringify(stored)) as StoredMessage;

describe("the stored form of a message", () => {
  it("preserves every message through JSON", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        assert.deepEqual(fromStored(message.id, throughJson(toStored(message))), message);
      }),
      { numRuns: 500 },
    );
  });

  it("keeps text readable and everything else as base64, never both", () => {
    fc.assert(
      fc.property(anyMessage, (message) => {
        const stored = toStored(message);
        assert.notEqual(stored.payload === undefined, stored.payloadBase64 === undefined);
      }),
    );
    const stored = (of: string | Buffer) => {
      const { payload, payloadBase64 } = toStored({
        ...{ id: "msg_1", topic: "t", qos: 0, retain: false, receivedAt: 0 },
        payload: Buffer.from(of),
      });
      return payload ?? { payloadBase64 };
    };
    assert.equal(stored("{}"), "{}");
    assert.equal(stored(""), "");
    assert.equal(stored("\ufeffx"), "\ufeffx"); // a byte order mark is part of the payload
    assert.deepEqual(stored(Buffer.from([0xff])), { payloadBase64: "/w==" });
    assert.deepEqual(stored("a\u0000"), { payloadBase64: "YQA=" });
    assert.deepEqual(stored(Buffer.from([0xed, 0xa0, 0x80])), { payloadBase64: "7aCA" }); // a surrogate in UTF-8 form
  });

  it("never contains U+0000, which not every store can hold", () => {
    const nulls = fc.oneof(anyText, fc.constantFrom("\u0000", "a\u0000b"));
    const properties = fc.dictionary(nulls, fc.oneof(nulls, fc.array(nulls)));
    fc.assert(
      fc.property(anyMessage, nulls, properties, (message, string, userProperties) => {
        const strings = { topic: string, contentType: string, responseTopic: string, userProperties };
        const stored = toStored({ ...message, ...strings, payload: Buffer.from(string) });
        assert.ok(!/(?<!\\)(?:\\\\)*\\u0000/.test(JSON.stringify(stored)));
        assert.equal(stored.topic, string.replaceAll("\u0000", "\ufffd"));
      }),
    );
  });

  it("does not contain the id, which the job carries", () => {
    fc.assert(fc.property(anyMessage, (message) => void assert.ok(!("id" in toStored(message)))));
  });
});

describe("utf8Text", () => {
  it("returns the text exactly when the bytes are its UTF-8", () => {
    fc.assert(
      fc.property(payload, (of) => {
        const decoded = of.toString("utf8");
        assert.equal(utf8Text(of), Buffer.from(decoded).equals(of) ? decoded : undefined);
      }),
    );
  });
});

describe("newId", () => {
  it("creates ids that sort by creation time and contain neither . nor :", () => {
    const ids = Array.from({ length: 1_000 }, () => newId("msg"));
    assert.deepEqual(ids.toSorted(), ids);
    assert.equal(new Set(ids).size, ids.length);
    for (const id of ids) assert.match(id, /^msg_[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
  });
});
