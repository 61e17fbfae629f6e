/** Payloads from devices arrive unchanged and signed, in events that the receivers' libraries can parse. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { before, describe, it } from "node:test";
import type { IClientPublishOptions } from "mqtt";
import { readEvent } from "../support/events.ts";
import type { ReceivedCall } from "../support/receiver.ts";
import { embedded, mosquittoAndRedis, scenario } from "../support/scenario.ts";

const MAX_PAYLOAD_BYTES = 256 * 1024;

type Kind = "json" | "text" | "bytes";

const PAYLOADS: { name: string; kind: Kind; payload: Buffer }[] = [
  { name: "a number larger than doubles hold", kind: "json", payload: Buffer.from("12345678901234567890") },
  { name: "a number with a trailing zero", kind: "json", payload: Buffer.from("1.10") },
  { name: "a number out of range", kind: "json", payload: Buffer.from("-1e999") },
  { name: "keys out of order", kind: "json", payload: Buffer.from('{"b":1,"a":2}') },
  { name: "a key twice", kind: "json", payload: Buffer.from('{"a":1,"a":2}') },
  { name: "white space in JSON", kind: "json", payload: Buffer.from('{"a" :\t[ ] }\r\n') },
  { name: "a JSON string", kind: "json", payload: Buffer.from('"abc"') },
  { name: "JSON with U+2028", kind: "json", payload: Buffer.from('{"a":"\u2028\u2029"}') },
  { name: "JSON with U+0000 and half a pair, escaped", kind: "json", payload: Buffer.from('["\\u0000","\\ud800"]') },
  { name: "leading zeros", kind: "text", payload: Buffer.from("007") },
  { name: "nothing", kind: "text", payload: Buffer.alloc(0) },
  { name: "text with U+0000", kind: "text", payload: Buffer.from("a\u0000b") },
  { name: "text with a BOM", kind: "text", payload: Buffer.from('\ufeff{"a":1}') },
  { name: "text beyond the BMP", kind: "text", payload: Buffer.from("grüße 👋\n\t\u0007") },
  { name: "invalid UTF-8", kind: "bytes", payload: Buffer.from([0x22, 0xc3, 0x28, 0xff, 0x00, 0x22]) },
  { name: "256 KiB of random bytes", kind: "bytes", payload: randomBytes(MAX_PAYLOAD_BYTES) },
  { name: "256 KiB of text", kind: "text", payload: Buffer.alloc(MAX_PAYLOAD_BYTES, 'ab\\"') },
];

for (const { kind, protocolVersion } of [
  { kind: embedded, protocolVersion: 4 },
  { kind: mosquittoAndRedis("5"), protocolVersion: 5 },
  { kind: mosquittoAndRedis("3.1.1"), protocolVersion: 4 },
] as const) {
  describe(`payloads: ${kind.name}`, kind.options, () => {
    const world = scenario(kind, { device: { protocolVersion } });
    const secrets: Record<string, string> = {};
    before(async () => {
      const { bridge, receiver } = world;
      for (const mode of ["structured", "binary"]) {
        const { secret } = await bridge.register({ url: `${receiver.url}/${mode}`, topics: ["p/#"], mode });
        secrets[`/${mode}`] = secret;
      }
    });

    /** Publishes, and returns the two calls that follow, verified and parsed. */
    async function exchange(topic: string, payload: Buffer, options: IClientPublishOptions = {}) {
      world.receiver.calls.length = 0;
      await world.device.publishAsync(topic, payload, { qos: 1, ...options });
      await world.receiver.until((calls) => calls.length === 2);
      const [structured, binary] = ["/structured", "/binary"].map((path) => {
        const call = world.receiver.calls.find((each) => each.path === path)!;
        const event = readEvent(call, secrets[path]!);
        assert.equal(event.type, "mqtt.message");
        // The SDK leaves the decoding of headers to its callers (HTTP binding section 3.1.3.2).
        assert.equal(path === "/binary" ? decoded(event.subject) : event.subject, topic);
        return { call, event };
      });
      return { structured: structured!, binary: binary! };
    }

    for (const { name, kind, payload } of PAYLOADS) {
      it(`carries ${name}`, async () => {
        const { structured, binary } = await exchange("p/x", payload);

        assert.ok(binary.call.body.equals(payload), "the body is the payload");
        assert.equal(binary.call.headers["content-type"], mediaType(kind));

        const member = memberOf(kind, payload);
        assert.ok(endsWith(structured.call, `,${member}}`), "the payload is spliced in as it came");
        assert.equal(structured.event.datacontenttype, mediaType(kind));
        if (kind === "json") assert.deepEqual(structured.event.data, JSON.parse(payload.toString()));
        if (kind === "text") assert.equal(structured.event.data ?? "", payload.toString()); // the SDK drops ""
        if (kind === "bytes") assert.ok(Buffer.from(structured.event.data as Uint8Array).equals(payload));
      });
    }

    it("counts and logs a payload that is too large, and delivers the next message", async () => {
      await world.device.publishAsync("p/large", Buffer.alloc(MAX_PAYLOAD_BYTES + 1), { qos: 1 });
      await exchange("p/after", Buffer.from("after")); // exactly two calls, none of them for p/large

      const { bytes } = await world.bridge.api("GET", "/metrics");
      assert.match(bytes.toString(), /^causeway_messages_unmatched_total\{reason="too_large"\} 1$/m);
      const [line] = await world.bridge.waitForOutput(/^\{.*"too_large".*$/m);
      const { level, topic, bytes: size } = JSON.parse(line);
      assert.deepEqual({ level, topic, size }, { level: 40, topic: "p/large", size: MAX_PAYLOAD_BYTES + 1 });
    });

    if (protocolVersion === 5) {
      it("carries the properties of MQTT 5", async () => {
        const traceparent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        const userProperties = { unit: "°C", tag: ["b", "a", "b"], traceparent };
        const properties = {
          contentType: "application/vnd.sensor+json; v=2",
          responseTopic: "p/answers/größe 1",
          correlationData: Buffer.from([0, 255, 1, 128]),
          userProperties,
        };
        const { structured, binary } = await exchange("p/größe 1", Buffer.from('{"t":21.50}'), { properties });

        assert.equal(structured.event.datacontenttype, properties.contentType);
        assert.equal(structured.event.mqttresponsetopic, properties.responseTopic);
        assert.equal(structured.event.mqttcorrelationdata, properties.correlationData.toString("base64"));
        assert.deepEqual(JSON.parse(String(structured.event.mqttuserproperties)), userProperties);
        assert.equal(structured.event.traceparent, traceparent);
        assert.ok(endsWith(structured.call, ',"data":{"t":21.50}}'));

        const { headers } = binary.call;
        assert.equal(headers["content-type"], properties.contentType);
        assert.equal(decoded(headers["ce-subject"]), "p/größe 1");
        assert.equal(decoded(headers["ce-mqttresponsetopic"]), properties.responseTopic);
        assert.equal(headers["ce-mqttcorrelationdata"], properties.correlationData.toString("base64"));
        assert.deepEqual(JSON.parse(decoded(headers["ce-mqttuserproperties"])), userProperties);
        for (const { call } of [structured, binary]) assert.equal(call.headers.traceparent, traceparent);
      });

      it("does not parse a payload declared as text as JSON", async () => {
        const properties = { contentType: "text/plain; charset=utf-8" };
        const { structured, binary } = await exchange("p/x", Buffer.from("1.10"), { properties });
        assert.equal(structured.event.data, "1.10");
        assert.equal(structured.event.datacontenttype, properties.contentType);
        assert.equal(binary.call.headers["content-type"], properties.contentType);
      });
    }
  });
}

function mediaType(kind: Kind): string {
  return { json: "application/json", text: "text/plain", bytes: "application/octet-stream" }[kind];
}

/** Returns the member of the event that holds the payload, as the body must contain it. */
function memberOf(kind: Kind, payload: Buffer): string {
  if (kind === "bytes") return `"data_base64":"${payload.toString("base64")}"`;
  return `"data":${kind === "json" ? payload.toString() : JSON.stringify(payload.toString())}`;
}

function endsWith({ body }: ReceivedCall, text: string): boolean {
  const end = Buffer.from(text);
  return body.subarray(-end.length).equals(end);
}

function decoded(header: string | string[] | undefined): string {
  return decodeURIComponent(String(header));
}
