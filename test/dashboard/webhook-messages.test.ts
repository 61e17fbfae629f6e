import assert from "node:assert/strict";
import { describe, it } from "node:test";
import type { Delivery, MessageState } from "causeway-mqtt/client";
import { diffLines, linesOf } from "../../dashboard/src/pages/webhooks/messages/json-lines.ts";
import { expressionError, fieldErrors, passesInWords } from "../../dashboard/src/pages/webhooks/messages/preview.ts";
import {
  excerptOf,
  mergeSamples,
  type Sample,
  sampleOfEvent,
  samplesOfDeliveries,
  withContent,
} from "../../dashboard/src/pages/webhooks/messages/sample.ts";
import fc from "../support/property.ts";

const delivery = (messageId: string, at: number, type?: string, webhookId = "wh") =>
  ({ messageId, webhookId, topic: "a/b", receivedAt: new Date(at).toISOString(), type }) as Delivery;

describe("samples", () => {
  it("lists each message of several deliveries once, without the events of the bridge", () => {
    const deliveries = [delivery("m2", 2), delivery("m2", 2), delivery("t", 1, "webhook.test"), delivery("m1", 1)];
    assert.deepEqual(
      samplesOfDeliveries(deliveries).map(({ id }) => id),
      ["m2", "m1"],
    );
  });

  it("keeps the newest, and the content that is known", () => {
    const bare: Sample = { id: "m", topic: "a", at: 5 };
    const full: Sample = { ...bare, message: { topic: "a", payload: "1" } };
    assert.deepEqual(mergeSamples([bare, { id: "old", topic: "a", at: 1 }], [full], 1), [full]);
    assert.deepEqual(mergeSamples([full], [bare]), [full]);
  });

  it("counts the copies of overlapping filters as one message", () => {
    const copy: Sample = { id: "b", topic: "a", at: 1_000, message: { topic: "a", payload: "1" } };
    const other: Sample = { ...copy, id: "a", at: 1_005 };
    assert.deepEqual(mergeSamples([copy], [other]), [other]);
    assert.deepEqual(mergeSamples([other], [copy]), [other]);
    const [m1, m2] = samplesOfDeliveries([delivery("m1", 1), delivery("m2", 2)]) as [Sample, Sample];
    assert.equal(mergeSamples([m1], [m2]).length, 2, "a webhook gets no copies");
    const [m3] = samplesOfDeliveries([delivery("m3", 2, undefined, "other")]) as [Sample];
    assert.equal(mergeSamples([m1], [m3]).length, 1);
    const next: Sample = { ...copy, id: "c", message: { topic: "a", payload: "2" } };
    assert.equal(mergeSamples([copy], [next]).length, 2, "another payload is another message");
    assert.equal(mergeSamples([copy], [{ ...copy, id: "d", at: 2_000 }]).length, 2, "and so is a later one");
  });

  it("keeps the bytes of a live payload", () => {
    const event = {
      specversion: "1.0" as const,
      id: "m",
      source: "s",
      type: "mqtt.message",
      subject: "a/b",
      time: "2026-11-27T14:02:03.120Z",
      mqttqos: 1 as const,
      mqttretain: false,
    };
    const { message } = sampleOfEvent({ ...event, datacontenttype: "text/plain", data: "21.50" });
    assert.deepEqual(message, { topic: "a/b", qos: 1, retain: false, contentType: "text/plain", payload: "21.50" });
    assert.equal(sampleOfEvent({ ...event, data_base64: "AP8=" }).message!.payloadBase64, "AP8=");
  });

  it("says when the content cannot be read", () => {
    const sample: Sample = { id: "m", topic: "a", at: 5 };
    const state = { direction: "received", topic: "a", qos: 1, retain: false } as MessageState;
    assert.equal(excerptOf(withContent(sample, state)), "not readable");
    assert.equal(excerptOf(withContent(sample, { ...state, payload: "21.50" } as MessageState)), "21.50");
  });
});

describe("results of previews", () => {
  it("counts what passes", () => {
    const sent = { outcome: "sent" as const };
    assert.equal(passesInWords([sent, { outcome: "filtered" }]), "1 of 2 messages pass");
    assert.equal(passesInWords([sent, { outcome: "failed" }]), "1 of 2 messages pass, 1 fails");
    assert.equal(passesInWords([sent]), "1 of 1 message passes");
  });

  it("names fields as the form does", () => {
    const errors = fieldErrors([{ path: "webhook.topics[0]", message: "is wrong" }]);
    assert.deepEqual(errors, { "topics[0]": "is wrong" });
    assert.deepEqual(expressionError({ outcome: "failed", error: "filter_error: no\nway" }), {
      field: "filter",
      message: "no\nway",
    });
    assert.equal(expressionError({ outcome: "sent" }), undefined);
  });
});

describe("JSON in lines", () => {
  it("keeps the text of every token", () => {
    assert.deepEqual(linesOf('{"a":21.50,"b":[],"c":{"d":[1,12345678901234567890]},"e":"x, {y}: \\" "}'), [
      "{",
      '  "a": 21.50,',
      '  "b": [],',
      '  "c": {',
      '    "d": [',
      "      1,",
      "      12345678901234567890",
      "    ]",
      "  },",
      '  "e": "x, {y}: \\" "',
      "}",
    ]);
    assert.deepEqual(linesOf("temp 21.50\n{"), ["temp 21.50", "{"]);
  });

  it("changes nothing but space between tokens", () => {
    fc.assert(
      fc.property(fc.json(), (json) => {
        assert.deepEqual(JSON.parse(linesOf(json).join("\n")), JSON.parse(json));
      }),
    );
  });
});

describe("difference by line", () => {
  it("marks what was added and removed", () => {
    assert.deepEqual(diffLines(["a", "b", "c"], ["a", "x", "c", "d"]), [
      { kind: "same", text: "a" },
      { kind: "removed", text: "b" },
      { kind: "added", text: "x" },
      { kind: "same", text: "c" },
      { kind: "added", text: "d" },
    ]);
  });

  it("contains both texts", () => {
    const lines = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 12 });
    fc.assert(
      fc.property(lines, lines, (before, after) => {
        const diff = diffLines(before, after);
        const without = (kind: string) => diff.filter((line) => line.kind !== kind).map(({ text }) => text);
        assert.deepEqual(without("added"), before);
        assert.deepEqual(without("removed"), after);
      }),
    );
  });
});
