import assert from "node:assert/strict";
import { describe, it } from "node:test";
import { EventParser } from "../../src/client/event-source.ts";
import { parseEvent, payloadBytes, payloadJson, payloadText } from "../../src/client/payload.ts";
import type { Message } from "../../src/message.ts";
import { eventJson } from "../../src/uplink/request/cloudevent.ts";

function parsed(payload: string | Buffer, more: Partial<Message> = {}) {
  const bytes = Buffer.from(payload);
  const message: Message = { id: "msg_1", topic: "d/1", payload: bytes, qos: 1, retain: false, receivedAt: 0, ...more };
  return parseEvent(eventJson(message, { source: "/causeway" }).toString());
}

describe("the payload of an event is the one that the device sent", () => {
  const rows: [title: string, payload: string | Buffer, more?: Partial<Message>][] = [
    ["JSON", '{"a":1}'],
    ["numbers that JavaScript would change", '{"price":1.10,"n":12345678901234567890}'],
    ["JSON with blanks around it", ' [1, {"data":{"data":2}}] '],
    ["a JSON string", '"text"'],
    ["text", "21.5 °C"],
    ["text declared as text that is JSON, too", "1.10", { contentType: "text/plain" }],
    ["text declared as JSON", "abc", { contentType: "application/json" }],
    ["JSON of another type", '{"a":1.0}', { contentType: "application/vnd.x+json; charset=utf-8" }],
    ["nothing", ""],
    ["bytes that are no text", Buffer.from([0, 255, 1, 254])],
    ["user properties that look like the payload", "1.0", { userProperties: { ',"data":': ',"data":9}' } }],
    ["a topic that looks like the payload", "1.0", { topic: 'a,"data":2' }],
  ];
  for (const [title, payload, more] of rows) {
    it(title, () => {
      const event = parsed(payload, more);
      assert.deepEqual(Buffer.from(payloadBytes(event)), Buffer.from(payload));
      if (typeof payload === "string") assert.equal(payloadText(event), payload);
    });
  }

  it("as JSON: from a JSON value and from text", () => {
    assert.deepEqual(payloadJson(parsed('{"a":[1]}')), { a: [1] });
    assert.equal(payloadJson(parsed("21.5", { contentType: "text/plain" })), 21.5);
    assert.throws(() => payloadJson(parsed("abc")), SyntaxError);
  });

  it("of an event that did not come from a stream", () => {
    const event = { ...parsed('{"a":1}') };
    assert.equal(payloadText(event), '{"a":1}');
  });
});

describe("EventParser", () => {
  const text = ": connected\n\nid: 1\ndata: {\ndata:  1}\n\n: heartbeat\n\ndata:ü\r\n\r\nevent: x\n\n";
  const events = ["{\n 1}", "ü"];

  it("joins the lines of an event and skips comments and other fields", () => {
    assert.deepEqual(new EventParser().push(Buffer.from(text)), events);
  });

  it("works byte by byte", () => {
    const parser = new EventParser();
    assert.deepEqual(
      [...Buffer.from(text)].flatMap((byte) => parser.push(Uint8Array.of(byte))),
      events,
    );
  });
});
