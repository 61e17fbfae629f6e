/** The bodies of the presets, against the rules that their services document. */
import assert from "node:assert/strict";
import { describe, it } from "node:test";
import jsonata from "jsonata";
import { answerError, applyPreset } from "../../dashboard/src/pages/webhooks/form/apply-preset.ts";
import { type Draft, EMPTY, inputOf } from "../../dashboard/src/pages/webhooks/form/draft.ts";
import { PRESETS } from "../../dashboard/src/pages/webhooks/form/presets.ts";

const event = (data: unknown) => ({
  specversion: "1.0",
  id: "msg_1",
  type: "mqtt.message",
  subject: "plant/7/alarms",
  time: "2026-11-27T14:02:03.120Z",
  ...(data === undefined ? { data_base64: "AP8=" } : { data }),
});

const JSON_EVENT = event({ temperature: 21.5, text: "<b>a & b</b> @everyone" });
const LONG = event("🌡".repeat(20_000));
const EVENTS = [JSON_EVENT, LONG, event(""), event(null), event(7), event(undefined)];

function filled(id: string): { draft: Draft; input: ReturnType<typeof inputOf> } {
  const preset = PRESETS.find((one) => one.id === id)!;
  const answers = Object.fromEntries(preset.asks.map((ask) => [ask.id, ask.example]));
  const draft = { ...EMPTY, topics: "plant/+/alarms", ...applyPreset(preset, answers) };
  return { draft, input: inputOf(draft) };
}

/** The body as it is sent in binary mode: the result as JSON. */
async function bodyOf(id: string, of: unknown): Promise<Record<string, unknown>> {
  const { input } = filled(id);
  assert.equal(input.mode, "binary", "only this mode sends the result of the transform as it is");
  return JSON.parse(JSON.stringify(await jsonata(input.transform!).evaluate(of))) as Record<string, unknown>;
}

const utf16 = (text: unknown) => (text as string).length;

describe("presets", () => {
  for (const preset of PRESETS) {
    it(`${preset.name}: its examples are accepted and fill every placeholder`, () => {
      for (const ask of preset.asks) {
        assert.equal(answerError(ask, ask.example), undefined, ask.id);
        assert.equal(answerError(ask, " "), `must look like ${ask.example}`);
      }
      assert.doesNotMatch(JSON.stringify(filled(preset.id).draft), /\{\{/);
    });
  }

  it("keeps an answer that is missing visible", () => {
    const ntfy = PRESETS.find(({ id }) => id === "ntfy")!;
    const { url, transform } = applyPreset(ntfy, { server: "https://ntfy.example.com/" });
    assert.equal(url, "https://ntfy.example.com/");
    assert.match(transform!, /"\{\{topic\}\}"/);
  });

  it("puts an answer into an expression as text, whatever it contains", async () => {
    const telegram = PRESETS.find(({ id }) => id === "telegram")!;
    const { transform } = applyPreset(telegram, { token: "1:a", chat: '@a", "text": "b\\' });
    const body = await jsonata(transform!).evaluate(JSON_EVENT);
    assert.equal(body.chat_id, '@a", "text": "b\\');
  });

  it("Plain sends the CloudEvent", () => {
    assert.deepEqual(filled("plain").input, { url: "", topics: ["plant/+/alarms"] });
  });

  it("Discord: content of 1 to 2,000 characters, and no mentions", async () => {
    for (const one of EVENTS) {
      const body = await bodyOf("discord", one);
      assert.ok(utf16(body.content) >= 1 && utf16(body.content) <= 2_000);
      assert.deepEqual(body.allowed_mentions, { parse: [] });
    }
    const { content } = await bodyOf("discord", JSON_EVENT);
    assert.match(content as string, /^\*\*plant\/7\/alarms\*\*\n\{"temperature":21\.5/);
    assert.match(filled("discord").input.url!, /^https:\/\/discord\.com\/api\/webhooks\/123\/abc$/);
  });

  it("Slack: a text without control characters of its markup, one message a second", async () => {
    for (const one of EVENTS) {
      const body = await bodyOf("slack", one);
      assert.deepEqual(Object.keys(body), ["text"]);
      assert.ok(utf16(body.text) >= 1 && utf16(body.text) <= 40_000);
      assert.doesNotMatch(body.text as string, /[<>]|&(?!amp;|lt;|gt;)/);
    }
    const { text } = await bodyOf("slack", JSON_EVENT);
    assert.match(text as string, /&lt;b&gt;a &amp; b/);
    assert.deepEqual(filled("slack").input.rateLimit, { max: 1, perSeconds: 1 });
  });

  it("ntfy: JSON to the root of the server, at most 4,096 bytes of message", async () => {
    for (const one of EVENTS) {
      const body = await bodyOf("ntfy", one);
      assert.equal(body.topic, "plant-7-alarms");
      assert.equal(body.title, "plant/7/alarms");
      assert.ok(Buffer.byteLength(body.message as string) <= 4_096);
      assert.ok(Number.isInteger(body.priority) && Number(body.priority) >= 1 && Number(body.priority) <= 5);
    }
    assert.equal(filled("ntfy").input.url, "https://ntfy.sh/");
  });

  it("Telegram: chat and text of 1 to 4,096 UTF-16 code units", async () => {
    for (const one of EVENTS) {
      const body = await bodyOf("telegram", one);
      assert.deepEqual(Object.keys(body), ["chat_id", "text"]);
      assert.ok(utf16(body.text) >= 1 && utf16(body.text) <= 4_096);
    }
    assert.equal(filled("telegram").input.url, "https://api.telegram.org/bot123456:ABC-DEF/sendMessage");
  });

  it("InfluxDB: only line protocol passes, unchanged, with the token of the API", async () => {
    const { input } = filled("influxdb");
    const passes = (data: unknown) => jsonata(input.filter!).evaluate(event(data));
    assert.equal(await passes("weather,location=us temperature=82 1465839830100400200"), true);
    assert.equal(await passes('weather text="a b",n=1i'), true);
    assert.equal(await passes("# comment"), false);
    assert.equal(await passes("21.5 degrees"), false);
    assert.equal(await passes({ temperature: 82 }), false);
    assert.equal(await passes(undefined), false);
    assert.equal(input.transform, undefined);
    assert.equal(input.mode, "binary");
    assert.deepEqual(input.headers, { Authorization: "Token abc==" });
    const url = new URL(input.url!);
    assert.equal(url.pathname, "/api/v2/write");
    assert.deepEqual(Object.fromEntries(url.searchParams), { org: "plant", bucket: "telemetry", precision: "ns" });
  });

  it("Telegraf: an object with the topic, for payloads that hold numbers", async () => {
    const { input } = filled("telegraf");
    assert.equal(await jsonata(input.filter!).evaluate(JSON_EVENT), true);
    assert.equal(await jsonata(input.filter!).evaluate(LONG), false);
    assert.deepEqual(await bodyOf("telegraf", event({ temperature: 21.5 })), {
      topic: "plant/7/alarms",
      time: "2026-11-27T14:02:03.120Z",
      data: { temperature: 21.5 },
    });
  });

  for (const id of ["home-assistant", "n8n"]) {
    it(`${id}: an object as application/json with topic and payload`, async () => {
      for (const one of EVENTS) {
        const body = await bodyOf(id, one);
        assert.deepEqual(Object.keys(body), ["id", "topic", "time", "payload"]);
      }
      assert.deepEqual((await bodyOf(id, event({ temperature: 21.5 }))).payload, { temperature: 21.5 });
      assert.equal((await bodyOf(id, event(undefined))).payload, "AP8=");
      assert.match(filled(id).input.url!, /\/(?:api\/)?webhook\//);
    });
  }
});
