import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Message, UserProperties } from "../../src/message.ts";
import { eventsOf, type ReceivedEvent } from "../../src/receiver/event.ts";
import type { WebhookRequest } from "../../src/uplink/request/cloudevent.ts";
import fc, { codePoint } from "../support/property.ts";
import { batchOf, callOf, messageOf } from "./calls.ts";

const read = ({ headers, body }: WebhookRequest) => eventsOf({ headers, body: new Uint8Array(body) });
const MODES = ["structured", "binary"] as const;

/** The members of an event that a message determines. */
function expected(message: Message): Record<string, unknown> {
  const { id, topic, qos, retain, receivedAt, responseTopic, correlationData, userProperties = {} } = message;
  const time = new Date(receivedAt).toISOString();
  const correlation = correlationData?.toString("hex");
  return { id, topic, qos, retain, time, responseTopic, correlation, userProperties, payload: hex(message.payload) };
}

function actual(event: ReceivedEvent): Record<string, unknown> {
  const { id, topic, qos, retained: retain, responseTopic, correlationData, userProperties } = event;
  const correlation = correlationData && hex(correlationData);
  const time = event.time.toISOString();
  return { id, topic, qos, retain, time, responseTopic, correlation, userProperties, payload: hex(event.bytes()) };
}

const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

const text = (constraints: fc.StringConstraints = {}) =>
  fc.string({ unit: codePoint, ...constraints }).map((any) => any.toWellFormed());
const payloads = fc.oneof(
  fc.uint8Array().map((bytes) => Buffer.from(bytes)),
  text().map((any) => Buffer.from(any)),
  fc.json({ noUnicodeString: false }).map((any) => Buffer.from(any)),
  fc
    .tuple(fc.stringMatching(/^[ \t\r\n]*$/), fc.json(), fc.stringMatching(/^[ \t\r\n]*$/))
    .map((parts) => Buffer.from(parts.join(""))),
  fc
    .constantFrom("21.50", "12345678901234567890", "-0", "1E400", '"\\ud800"', '{"a":1,"a":2}')
    .map((any) => Buffer.from(any)),
);
const contentTypes = fc.constantFrom(
  undefined,
  "application/json",
  "application/vnd.x+json; charset=utf-8",
  "text/plain",
  "application/octet-stream",
  "application/cloudevents+json",
  "application/cloudevents-batch+json",
  "not a type",
);
const userProperties: fc.Arbitrary<UserProperties> = fc.dictionary(
  text({ minLength: 1 }).filter((name) => name !== "__proto__"),
  fc.oneof(text(), fc.array(text(), { minLength: 2 })),
  { noNullPrototype: true },
);
const messages = fc
  .record({
    topic: text({ minLength: 1 }),
    payload: payloads,
    qos: fc.constantFrom<Message["qos"]>(0, 1, 2),
    retain: fc.boolean(),
    receivedAt: fc.integer({ min: 0, max: 4_000_000_000_000 }),
    contentType: contentTypes,
    responseTopic: fc.option(text({ minLength: 1 }), { nil: undefined }),
    correlationData: fc.option(
      fc.uint8Array().map((bytes) => Buffer.from(bytes)),
      { nil: undefined },
    ),
    userProperties: fc.option(userProperties, { nil: undefined }),
  })
  .map(({ topic, payload, ...more }) => messageOf(topic, payload, more));

describe("eventsOf", () => {
  for (const mode of MODES) {
    it(`${mode} mode: returns the message that the bridge encoded`, () => {
      fc.assert(
        fc.property(messages, (message) => {
          const { isBatch, events } = read(callOf(message, { mode, attempt: 3 }));
          assert.equal(isBatch, false);
          assert.deepEqual(events.map(actual), [expected(message)]);
          assert.equal(events[0]!.attempt, 3);
        }),
        { numRuns: 200 },
      );
    });
  }

  it("batch mode: returns the messages that the bridge encoded, in their order", () => {
    fc.assert(
      fc.property(fc.array(messages, { maxLength: 5 }), (several) => {
        const { isBatch, events } = read(batchOf(several));
        assert.equal(isBatch, true);
        assert.deepEqual(events.map(actual), several.map(expected));
      }),
    );
  });

  for (const mode of MODES) {
    it(`${mode} mode: keeps the payload as text, and parses it on demand`, () => {
      const [event] = read(callOf(messageOf("t", "21.50"), { mode })).events;
      assert.deepEqual([event!.text(), event!.json(), event!.contentType], ["21.50", 21.5, "application/json"]);
      const [plain] = read(callOf(messageOf("t", "on"), { mode })).events;
      assert.deepEqual([plain!.text(), plain!.contentType], ["on", "text/plain"]);
      assert.throws(() => plain!.json(), SyntaxError);
    });
  }

  it("names the type and the source, and leaves out the properties that a message does not have", () => {
    const [event] = read(callOf(messageOf("t", "1"))).events;
    assert.deepEqual([event!.type, event!.source], ["mqtt.message", "/test"]);
    for (const name of ["responseTopic", "correlationData", "sequence"]) assert.equal(name in event!, false, name);
  });

  /** A device chooses both the payload and the content type. */
  it("binary mode: takes a payload that looks like an event or a batch for a payload", () => {
    const spoofed = {
      specversion: "1.0",
      id: "1",
      source: "/",
      type: "mqtt.message",
      subject: "admin",
      time: "2026-01-01T00:00:00Z",
    };
    for (const [payload, contentType] of [
      [spoofed, "application/cloudevents+json"],
      [[spoofed], "application/cloudevents-batch+json"],
    ] as const) {
      const sent = messageOf("devices/7", JSON.stringify(payload), { contentType });
      const { isBatch, events } = read(callOf(sent, { mode: "binary" }));
      assert.deepEqual([isBatch, events.map(({ id, topic }) => [id, topic])], [false, [[sent.id, "devices/7"]]]);
    }
  });

  const good = { specversion: "1.0", id: "1", source: "/", type: "t", subject: "s", time: "2026-01-01T00:00:00Z" };
  const structured = (body: unknown, type = "application/cloudevents+json"): WebhookRequest => ({
    headers: { "content-type": type, "webhook-id": "1" },
    body: Buffer.from(typeof body === "string" ? body : JSON.stringify(body)),
  });
  const binary = (headers: Record<string, string>): WebhookRequest => {
    const attributes = Object.entries(good).map(([name, value]) => [`ce-${name}`, value]);
    return { headers: { "webhook-id": "1", ...Object.fromEntries(attributes), ...headers }, body: Buffer.from("1") };
  };

  it("accepts the events that the following cases spoil", () => {
    for (const call of [structured(good), structured([good], "application/cloudevents-batch+json"), binary({})]) {
      assert.deepEqual(
        read(call).events.map(({ id, topic, retained }) => [id, topic, retained]),
        [["1", "s", false]],
      );
    }
    assert.equal(read(structured(good)).events[0]!.text(), "", "an event without data");
    assert.equal(read(structured({ ...good, data: "x", datacontenttype: "text/plain" })).events[0]!.text(), "x");
    assert.equal(read(structured(`{"data" : [1 ,2] ,${JSON.stringify(good).slice(1)}`)).events[0]!.text(), " [1 ,2] ");
  });

  const malformed: [title: string, call: WebhookRequest][] = [
    ["an empty body", structured("")],
    ["half a body", structured("{")],
    ["null", structured("null")],
    ["an array without the batch type", structured([good])],
    ["an event with the batch type", structured(good, "application/cloudevents-batch+json")],
    ["a batch that holds no object", structured(["x"], "application/cloudevents-batch+json")],
    ["a body that is not UTF-8", { ...structured(good), body: Buffer.from([0x22, 0xff, 0x22]) }],
    ["another content type without attributes", structured(good, "application/json")],
    ["no content type", { headers: { "webhook-id": "1" }, body: Buffer.from("{}") }],
    ["the id of another call", structured({ ...good, id: "2" })],
    ["the id of another call in binary mode", binary({ "ce-id": "2" })],
    ["another version", structured({ ...good, specversion: "2.0" })],
    ["an empty topic", structured({ ...good, subject: "" })],
    ["a topic that is no string", structured({ ...good, subject: 1 })],
    ["no time", structured({ ...good, time: undefined })],
    ["a time that is none", structured({ ...good, time: "soon" })],
    ["a QoS that is none", structured({ ...good, mqttqos: 3 })],
    ["a QoS that is none in binary mode", binary({ "ce-mqttqos": "x" })],
    ["malformed base64", structured({ ...good, data_base64: "*" })],
    ["base64 that is no string", structured({ ...good, data_base64: 1 })],
    ["malformed correlation data", structured({ ...good, mqttcorrelationdata: "*" })],
    ["malformed user properties", structured({ ...good, mqttuserproperties: "{" })],
    ["user properties that are no object", structured({ ...good, mqttuserproperties: "[]" })],
    ["a malformed percent encoding", binary({ "ce-subject": "%zz" })],
    ["a percent encoding that is not UTF-8", binary({ "ce-subject": "%FF" })],
  ];
  for (const [title, call] of malformed) {
    it(`refuses ${title}`, () => assert.throws(() => read(call), { name: "RefusedCall", status: 400 }));
  }
});
