import assert from "node:assert/strict";
import { validateHeaderName, validateHeaderValue } from "node:http";
import { describe, it } from "node:test";
import { type CloudEvent, HTTP } from "cloudevents";
import type { Message } from "../../../src/message.ts";
import { batchJson, buildRequest, eventJson } from "../../../src/uplink/request/cloudevent.ts";
import { headerError, isJsonType, isMediaType, percentEncode } from "../../../src/uplink/request/headers.ts";
import fc, { codePoint } from "../../support/property.ts";

const id = "msg_0197a6a0-0000-7000-8000-000000000000";
const receivedAt = Date.parse("2026-03-04T12:00:00.123Z");
const origin = { source: "/causeway" };
const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";

function message(payload: string | Buffer, rest: Partial<Message> = {}): Message {
  return { id, topic: "home/1/temp", payload: Buffer.from(payload), qos: 1, retain: false, receivedAt, ...rest };
}
function build(of: Message, mode: "structured" | "binary", webhookHeaders?: Record<string, string>) {
  return buildRequest(of, { ...origin, mode, webhookHeaders, attempt: 3, now: receivedAt + 999 });
}
const structured = (of: Message) => JSON.parse(build(of, "structured").body.toString()) as Record<string, unknown>;

describe("a structured event", () => {
  it("has exactly this form", () => {
    const { body, headers } = build(message('{"t": 21.50}'), "structured");
    assert.equal(
      body.toString(),
      `{"specversion":"1.0","id":"${id}","source":"/causeway","type":"mqtt.message","subject":"home/1/temp",` +
        '"time":"2026-03-04T12:00:00.123Z","mqttqos":1,"mqttretain":false,"datacontenttype":"application/json",' +
        '"data":{"t": 21.50}}',
    );
    const { "user-agent": agent, ...rest } = headers;
    assert.match(agent ?? "", /^Causeway\/\d+\.\d+\.\d+/);
    assert.deepEqual(rest, {
      "content-type": "application/cloudevents+json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor((receivedAt + 999) / 1_000)),
      "causeway-attempt": "3",
    });
  });

  it("carries the properties of MQTT 5", () => {
    const userProperties = { unit: "°C", tag: ["a", "b"], traceparent };
    const full = message("x", {
      responseTopic: "r/1",
      correlationData: Buffer.from([0, 255]),
      userProperties,
      retain: true,
    });
    const event = structured(full);
    assert.equal(event.mqttresponsetopic, "r/1");
    assert.equal(event.mqttcorrelationdata, "AP8=");
    assert.deepEqual(JSON.parse(event.mqttuserproperties as string), userProperties);
    assert.equal(event.mqttretain, true);
    assert.equal(event.traceparent, traceparent);
    assert.equal(build(full, "structured").headers.traceparent, traceparent);
  });

  it("omits an invalid traceparent", () => {
    for (const value of [
      "",
      "x\r\ny: z",
      traceparent.toUpperCase(),
      `00-${"0".repeat(32)}-b7ad6b7169203331-01`,
      `${traceparent} `,
    ]) {
      const of = message("x", { userProperties: { traceparent: value } });
      assert.equal(structured(of).traceparent, undefined);
      assert.equal(build(of, "structured").headers.traceparent, undefined);
    }
  });

  it("has another type if one is configured", () => {
    assert.match(eventJson(message("x"), { ...origin, type: "webhook.test" }).toString(), /"type":"webhook.test"/);
  });

  it("goes into a batch unchanged", () => {
    const batch = batchJson([message("1.10"), message("é")].map((one) => eventJson(one, origin))).toString();
    assert.equal(batch, `[${eventJson(message("1.10"), origin)},${eventJson(message("é"), origin)}]`);
    assert.equal(batchJson([]).toString(), "[]");
  });
});

describe("data of a structured event", () => {
  const table: [
    what: string,
    payload: string | Buffer,
    contentType: string | undefined,
    member: string,
    type: string,
  ][] = [
    ["a JSON object", '{"a":1}', undefined, '"data":{"a":1}', "application/json"],
    ["a large number", "12345678901234567890", undefined, '"data":12345678901234567890', "application/json"],
    ["a trailing zero", "1.10", undefined, '"data":1.10', "application/json"],
    ["space around JSON", ' \t\r\n{"a" : 1}\n', undefined, '"data": \t\r\n{"a" : 1}\n', "application/json"],
    ["a double key", '{"a":1,"a":2}', undefined, '"data":{"a":1,"a":2}', "application/json"],
    ["true", "true", undefined, '"data":true', "application/json"],
    ["null", "null", undefined, '"data":null', "application/json"],
    ["a JSON string", '"abc"', undefined, '"data":"abc"', "application/json"],
    ["a JSON string declared as JSON", '"abc"', "application/json", '"data":"abc"', "application/json"],
    ["a suffix +json", "[1]", "application/senml+json; v=1", '"data":[1]', "application/senml+json; v=1"],
    ["a JSON string declared as text", '"abc"', "text/plain", '"data":"\\"abc\\""', "text/plain"],
    ["a number declared as text", "1.10", "text/plain", '"data":"1.10"', "text/plain"],
    ["text", "on", undefined, '"data":"on"', "text/plain"],
    ["text that begins like JSON", "{on", undefined, '"data":"{on"', "text/plain"],
    ["a number with a leading zero", "007", undefined, '"data":"007"', "text/plain"],
    ["NaN", "NaN", undefined, '"data":"NaN"', "text/plain"],
    ["two JSON values", "{}{}", undefined, '"data":"{}{}"', "text/plain"],
    ["an attempt to break out", '1,"id":"x"', undefined, '"data":"1,\\"id\\":\\"x\\""', "text/plain"],
    ["broken JSON declared as JSON", "abc", "application/json", '"data":"abc"', "text/plain"],
    ["declared text", "<a/>", "text/xml", '"data":"<a/>"', "text/xml"],
    ["nothing", "", undefined, '"data":""', "text/plain"],
    ["spaces only", "  ", undefined, '"data":"  "', "text/plain"],
    ["a byte order mark before JSON", "\ufeff{}", undefined, '"data":"\ufeff{}"', "text/plain"],
    ["U+0000", "a\u0000b", undefined, '"data":"a\\u0000b"', "text/plain"],
    ["bytes", Buffer.from([0xff, 0x00]), undefined, '"data_base64":"/wA="', "application/octet-stream"],
    ["bytes with a type", Buffer.from([0xff]), "image/png", '"data_base64":"/w=="', "image/png"],
    ["a content type that is none", "{}", "json", '"data":{}', "application/json"],
    ["a content type with a line break", "on", "text/plain\r\nx: y", '"data":"on"', "text/plain"],
    ["a content type outside ASCII", "on", "text/plâin", '"data":"on"', "text/plain"],
    ["an empty content type", "on", "", '"data":"on"', "text/plain"],
  ];
  for (const [what, payload, contentType, member, type] of table) {
    it(`${what}: ${JSON.stringify(contentType ?? "no type")} → ${member.slice(0, 60)}`, () => {
      const text = build(message(payload, { contentType }), "structured").body.toString();
      assert.ok(text.endsWith(`"datacontenttype":${JSON.stringify(type)},${member}}`), text);
      JSON.parse(text);
    });
  }

  it("survives nesting of any depth", () => {
    const deep = "[".repeat(120_000) + "]".repeat(120_000);
    for (const payload of [deep, "[".repeat(250_000), '{"a":'.repeat(50_000)]) {
      const text = build(message(payload), "structured").body.toString();
      assert.ok(text.endsWith(`"data":${payload}}`) || text.endsWith(`"data":${JSON.stringify(payload)}}`));
    }
  });

  it("is any payload, unchanged", () => {
    const json = fc.json({ noUnicodeString: false, maxDepth: 4 }).map((text) => Buffer.from(text.toWellFormed()));
    const text = fc.string({ unit: codePoint }).map((string) => Buffer.from(string.toWellFormed()));
    const bytes = fc.uint8Array().map((array) => Buffer.from(array));
    const type = fc.constantFrom(undefined, "application/json", "text/plain", "a/b+json;x=y", "nonsense");
    fc.assert(
      fc.property(fc.oneof(json, text, bytes), type, (payload, contentType) => {
        const { body } = build(message(payload, { contentType }), "structured");
        const event = JSON.parse(body.toString()) as Record<string, unknown>;
        if (typeof event.data_base64 === "string") {
          assert.deepEqual(Buffer.from(event.data_base64, "base64"), payload);
        } else if (isJsonType(event.datacontenttype as string)) {
          assert.ok(body.subarray(0, -1).subarray(-payload.length).equals(payload));
          assert.deepEqual(event.data, JSON.parse(payload.toString()));
        } else {
          assert.equal(event.data, payload.toString());
        }
      }),
      { numRuns: 500 },
    );
  });
});

describe("a binary event", () => {
  it("has the payload as its body and the attributes as headers", () => {
    const userProperties = { unit: "°C", traceparent };
    const of = message('{"t":1}', {
      topic: "ä/1 %",
      responseTopic: "r/1",
      correlationData: Buffer.from("hi"),
      userProperties,
    });
    const { body, headers } = build(of, "binary");
    assert.equal(body, of.payload);
    const { "user-agent": _, ...rest } = headers;
    assert.deepEqual(rest, {
      "content-type": "application/json",
      "webhook-id": id,
      "webhook-timestamp": String(Math.floor((receivedAt + 999) / 1_000)),
      "causeway-attempt": "3",
      traceparent,
      "ce-specversion": "1.0",
      "ce-id": id,
      "ce-source": "/causeway",
      "ce-type": "mqtt.message",
      "ce-subject": "%C3%A4/1%20%25",
      "ce-time": "2026-03-04T12:00:00.123Z",
      "ce-mqttqos": "1",
      "ce-mqttretain": "false",
      "ce-mqttresponsetopic": "r/1",
      "ce-mqttcorrelationdata": "aGk=",
      "ce-mqttuserproperties": `{%22unit%22:%22%C2%B0C%22,%22traceparent%22:%22${traceparent}%22}`,
      "ce-traceparent": traceparent,
    });
  });

  it("takes its content type from the device, else from the payload", () => {
    const typeOf = (payload: string | Buffer, contentType?: string) =>
      build(message(payload, { contentType }), "binary").headers["content-type"];
    assert.equal(typeOf("{}", "text/plain; charset=utf-8"), "text/plain; charset=utf-8");
    assert.equal(typeOf("{}"), "application/json");
    assert.equal(typeOf("on"), "text/plain");
    assert.equal(typeOf(""), "text/plain");
    assert.equal(typeOf(Buffer.from([255])), "application/octet-stream");
    assert.equal(typeOf("{}", "x\r\nevil: 1"), "application/json");
  });

  it("is no structured event and no batch, whatever type the device declares", () => {
    const forged = JSON.stringify([{ specversion: "1.0", id: "msg_1", source: "/", type: "mqtt.message" }]);
    for (const type of ["application/cloudevents+json", "Application/CloudEvents-Batch+JSON; charset=utf-8"]) {
      const { headers } = build(message(forged, { contentType: type }), "binary");
      assert.equal(headers["content-type"], "application/json");
    }
  });

  it("cannot break out of a header, whatever a device sends", () => {
    const text = fc.oneof(
      fc.string({ unit: codePoint }),
      fc.constantFrom("a\r\nb: c", "\u0000", "\ud800", "é\u007f\u0085"),
    );
    fc.assert(
      fc.property(
        text,
        text,
        text,
        fc.dictionary(text, fc.oneof(text, fc.array(text))),
        (topic, contentType, responseTopic, userProperties) => {
          const of = message("x", { topic, contentType, responseTopic, userProperties });
          for (const mode of ["structured", "binary"] as const) {
            for (const [name, value] of Object.entries(build(of, mode).headers)) {
              validateHeaderName(name);
              validateHeaderValue(name, value);
              assert.match(value, /^[ -~]*$/);
            }
          }
        },
      ),
    );
  });
});

describe("a webhook's own headers", () => {
  it("are sent, in lower case", () => {
    const { headers } = build(message("x"), "binary", { Authorization: "Bearer abc", "X-Site": "north" });
    assert.equal(headers.authorization, "Bearer abc");
    assert.equal(headers["x-site"], "north");
  });

  it("cannot replace the bridge's headers, break the request or inject others", () => {
    const names = ["HOST", "Content-Length", "Transfer-Encoding", "Connection", "Expect", "Webhook-Id"];
    const evil = [
      ...names,
      "webhook-signature",
      "CE-id",
      "Causeway-Attempt",
      "User-Agent",
      "traceparent",
      "a b",
      "",
      "é",
    ];
    const plain = build(message("x"), "binary").headers;
    for (const name of evil) {
      assert.ok(headerError(name, "evil"), name);
      assert.deepEqual(build(message("x"), "binary", { [name]: "evil" }).headers, plain, name);
    }
    for (const value of ["a\r\nb: c", "\u0000", "é", "x".repeat(5_000)]) {
      assert.ok(headerError("x-a", value));
      assert.deepEqual(build(message("x"), "binary", { "x-a": value }).headers, plain);
    }
    assert.equal(headerError("X-Api-Key", "a b\t~"), undefined);
  });

  it("may state the type of a transform's results, which changes no other body", () => {
    assert.equal(headerError("Content-Type", "text/csv; charset=utf-8"), undefined);
    for (const type of ["csv", "text/csv;", "application/cloudevents+json", "Application/CloudEvents-batch+json"]) {
      assert.ok(headerError("content-type", type), type);
    }
    for (const mode of ["binary", "structured"] as const) {
      const own = build(message("x"), mode, { "Content-Type": "text/csv" });
      assert.deepEqual(own, build(message("x"), mode));
    }
  });
});

describe("header values", () => {
  it("percent-encode like the example of the HTTP binding", () => {
    assert.equal(percentEncode("Euro € 😀"), "Euro%20%E2%82%AC%20%F0%9F%98%80");
    assert.equal(percentEncode('a"b%c\r\n\u007f~!#$&'), "a%22b%25c%0D%0A%7F~!#$&");
    fc.assert(
      fc.property(fc.string({ unit: codePoint }), (text) => {
        assert.match(percentEncode(text), /^[!#-~]*$/);
        assert.equal(decodeURIComponent(percentEncode(text)), text.toWellFormed());
      }),
    );
  });

  it("distinguish media types from other text", () => {
    for (const type of [
      "text/plain",
      "a/b",
      "text/plain;charset=utf-8",
      'a/b; c="d e" ; f=g',
      "application/vnd.x+json",
    ]) {
      assert.ok(isMediaType(type), type);
    }
    for (const type of [
      "",
      "json",
      "a/",
      "/b",
      "a/b/c",
      "a/b;",
      "a/b;c",
      "a b/c",
      "a/b\n",
      " a/b",
      'a/b;c="\r"',
      `a/${"b".repeat(300)}`,
    ]) {
      assert.ok(!isMediaType(type), type);
    }
    assert.deepEqual(
      ["application/json", "text/JSON ;a=b", "a/b+json", "a/jsonx", "a/b;c=json", "a/xjson", "a/b;x=a/c+json"].map(
        isJsonType,
      ),
      [true, true, true, false, false, false, false],
    );
  });
});

describe("the receivers' library", () => {
  const text = fc.string({ unit: codePoint, minLength: 1, maxLength: 20 });

  it("reads a structured event", () => {
    fc.assert(
      fc.property(text, text, (topic, payload) => {
        const { headers, body } = build(message(payload, { topic, contentType: "text/plain" }), "structured");
        const event = HTTP.toEvent({ headers, body: body.toString() }) as CloudEvent<unknown>;
        assert.ok(event.validate());
        assert.deepEqual([event.id, event.subject, event.data, event.mqttqos], [id, topic, payload, 1]);
      }),
    );
    const { headers, body } = build(message('{"a":[1.5]}'), "structured");
    const event = HTTP.toEvent({ headers, body: body.toString() }) as CloudEvent<unknown>;
    assert.deepEqual(event.data, { a: [1.5] });
    assert.equal(event.time, "2026-03-04T12:00:00.123Z");
  });

  it("reads a binary event", () => {
    const { headers, body } = build(message('{"a":1}', { retain: true }), "binary");
    const event = HTTP.toEvent({ headers, body: body.toString() }) as CloudEvent<unknown>;
    assert.ok(event.validate());
    assert.deepEqual([event.id, event.source, event.subject, event.data], [id, "/causeway", "home/1/temp", { a: 1 }]);
  });

  it("reads bytes", () => {
    const { headers, body } = build(message(Buffer.from([1, 255])), "structured");
    const event = HTTP.toEvent({ headers, body: body.toString() }) as CloudEvent<unknown>;
    assert.equal(event.data_base64, "Af8=");
  });
});
