import assert from "node:assert/strict";
import { test } from "node:test";
import type { PayloadFormat } from "../../../src/formats/formats.ts";
import { newId } from "../../../src/message.ts";
import { createPrepare } from "../../../src/uplink/expressions/apply.ts";
import { createDecode } from "../../../src/uplink/formats/decode.ts";
import type { DeliveredMessage } from "../../../src/uplink/queue/job.ts";
import { buildRequest, eventJson } from "../../../src/uplink/request/cloudevent.ts";
import type { Webhook } from "../../../src/webhooks/webhook.ts";

const CBOR = Buffer.from("a16174fb4035800000000000", "hex");
const NDATA = Buffer.from("120410075001", "hex");

function message(payload: Buffer, fields: Partial<DeliveredMessage> = {}): DeliveredMessage {
  return { id: newId("msg"), topic: "t", payload, qos: 1, retain: false, receivedAt: 0, ...fields };
}

function webhook(payloadFormat: PayloadFormat | undefined, fields: Partial<Webhook> = {}): Webhook {
  return { id: "wh_1", mode: "structured", headers: {}, ...(payloadFormat && { payloadFormat }), ...fields } as Webhook;
}

const metric = { name: "pump/on", type: 11, alias: "7" };
const births = {
  before: async (source: string) =>
    source === "g/n" ? { byAlias: new Map([["7", metric]]), byName: new Map([["pump/on", metric]]) } : undefined,
};
const decode = createDecode({ births, maxPayloadBytes: 1_000 });
const text = async (format: PayloadFormat, sample: DeliveredMessage) =>
  (await decode(webhook(format), sample)).payload.toString();

test("without a format, and for events of the bridge, the message stays as it is", () => {
  const sample = message(CBOR);
  assert.equal(decode(webhook(undefined), sample), sample);
  assert.equal(decode(webhook("auto"), sample), sample);
  const event = message(Buffer.from("{}"), { type: "webhook.test" });
  assert.equal(decode(webhook("cbor"), event), event);
});

test("payloads become JSON, with the names of the BIRTH on topics of Sparkplug", async () => {
  assert.equal(await text("cbor", message(CBOR)), '{"t":21.5}');
  const named = await text("sparkplug", message(NDATA, { topic: "spBv1.0/g/NDATA/n" }));
  assert.equal(named, '{"metrics":[{"name":"pump/on","alias":7,"dataType":"Boolean","value":1}]}');
  const unnamed = '{"metrics":[{"alias":7,"value":1}]}';
  assert.equal(await text("sparkplug", message(NDATA, { topic: "spBv1.0/g/NDATA/other" })), unnamed);
  assert.equal(await text("sparkplug", message(NDATA)), unnamed);
  const state = message(Buffer.from('{"online":true}'), { topic: "spBv1.0/STATE/host" });
  assert.equal(decode(webhook("sparkplug"), state), state);
});

test("a payload that cannot be decoded is delivered in base64 with the reason, in both modes", async () => {
  const sample = await decode(webhook("cbor"), message(Buffer.from("{}"), { contentType: "application/cbor" }));
  const event = JSON.parse(eventJson(sample, { source: "/causeway" }).toString());
  assert.equal(event.data_base64, "e30=");
  assert.equal(event.data, undefined);
  assert.equal(event.datacontenttype, "application/cbor");
  assert.match(event.mqttdecodeerror, /^not CBOR: /);
  const { contentType: _, ...undeclared } = sample;
  const options = { mode: "binary", source: "/causeway", attempt: 1, now: 0 } as const;
  const { body, headers } = buildRequest(undeclared, options);
  assert.equal(body.toString(), "{}");
  assert.equal(headers["content-type"], "application/octet-stream");
  assert.match(decodeURIComponent(headers["ce-mqttdecodeerror"]!), /^not CBOR: /);
});

test("JSON of more than four times the limit of payloads is not decoded", async () => {
  const sample = message(Buffer.concat([Buffer.from("990384", "hex"), Buffer.alloc(900, 0xf6)]));
  const { decodeError, payload } = await decode(webhook("cbor"), sample);
  assert.equal(decodeError, "not CBOR: more than 4000 characters as JSON");
  assert.equal(payload, sample.payload);
});

test("filter and transform see the decoded data; a result of the transform is no payload with an error", async () => {
  const seen: string[] = [];
  const expressions = {
    evaluate: async (_key: string, _texts: object, event: string) => {
      seen.push(event);
      return { kind: "kept" as const, data: "1" };
    },
  };
  const prepare = createPrepare({ decode, expressions, eventSource: "/causeway" });
  const good = await prepare(webhook("cbor", { transform: "1" }), message(CBOR));
  assert.deepEqual(JSON.parse(seen[0]!).data, { t: 21.5 });
  assert.ok(good.kind === "send");
  const bad = await prepare(webhook("cbor", { transform: "1" }), message(Buffer.from("")));
  assert.ok(JSON.parse(seen[1]!).mqttdecodeerror);
  assert.ok(bad.kind === "send");
  assert.deepEqual([bad.message.payload.toString(), bad.message.decodeError], ["1", undefined]);
});

test("while the names cannot be read, the attempt fails and is repeated", async () => {
  const away = createDecode({
    births: { before: () => Promise.reject(new Error("store away")) },
    maxPayloadBytes: 1_000,
  });
  const expressions = { evaluate: () => assert.fail("nothing to evaluate") };
  const prepare = createPrepare({ decode: away, expressions, eventSource: "/causeway" });
  const prepared = await prepare(webhook("sparkplug"), message(NDATA, { topic: "spBv1.0/g/NDATA/n" }));
  assert.ok(prepared.kind === "failed");
  assert.equal(prepared.result.notEvaluated, true);
  assert.match(prepared.result.detail!, /store away/);
});
