/** Awkward messages, and the request of a preset for a message, without a bridge. */
import jsonata from "jsonata";
import type { Message } from "../../src/message.ts";
import { newId } from "../../src/message.ts";
import { type FilledWebhook, PRESETS, type Preset, webhookOf } from "../../src/presets/index.ts";
import { createPrepare } from "../../src/uplink/expressions/apply.ts";
import type { DeliveredMessage } from "../../src/uplink/queue/job.ts";
import { buildRequest } from "../../src/uplink/request/cloudevent.ts";
import type { Webhook } from "../../src/webhooks/webhook.ts";
import fc from "../support/property.ts";
import type { ServiceRequest } from "./services.ts";

export function presetOf(id: string): Preset {
  const preset = PRESETS.find((one) => one.id === id);
  if (!preset) throw new Error(`no preset ${id}`);
  return preset;
}

/** Each input with the value of its example. */
export function examplesOf({ inputs }: Preset): Record<string, string> {
  return Object.fromEntries(inputs.map(({ id, example }) => [id, example]));
}

export function filledExample(preset: Preset): FilledWebhook {
  return webhookOf(preset, examplesOf(preset));
}

export function messageOf(topic: string, payload: string | Buffer, receivedAt = Date.UTC(2026, 10, 27)): Message {
  return { id: newId("msg"), topic, payload: Buffer.from(payload), qos: 1, retain: false, receivedAt };
}

/** Evaluates in this process what the sandbox evaluates in another one, with its limits. */
const LIMITS = { timeout: 5_000, stack: 500, sequence: 100_000 };
const compiled = new Map<string, jsonata.Expression>();
const compile = (text: string) => {
  if (!compiled.has(text)) compiled.set(text, jsonata(text, LIMITS));
  return compiled.get(text)!;
};
const expressions = {
  async evaluate(_key: string, { filter, transform }: { filter?: string; transform?: string }, json: string) {
    const event: unknown = JSON.parse(json);
    const passes = filter === undefined || (await compile(filter).evaluate(event)) === true;
    if (!passes) return { kind: "filtered" } as const;
    return { kind: "kept", data: JSON.stringify(await compile(transform!).evaluate(event)) } as const;
  },
};

/** The request for a message; undefined if it is filtered out. */
export async function requestOf(webhook: FilledWebhook, message: Message): Promise<ServiceRequest | undefined> {
  const prepare = createPrepare({ decode: (_webhook, message) => message, expressions, eventSource: "/causeway" });
  const stored = { id: "wh_1", headers: {}, mode: "structured", ...webhook } as unknown as Webhook;
  const prepared = await prepare(stored, message as DeliveredMessage);
  if (prepared.kind === "filtered") return undefined;
  if (prepared.kind === "failed") throw new Error(prepared.result.detail);
  const options = { mode: stored.mode, source: "/causeway", webhookHeaders: stored.headers, attempt: 1, now: 0 };
  const { body, headers } = buildRequest(prepared.message, options);
  const { pathname, search } = new URL(webhook.url);
  const { auth } = webhook;
  const authorization = auth?.type === "bearer" ? { authorization: `Bearer ${auth.token}` } : {};
  return { method: webhook.method ?? "POST", path: pathname + search, headers: { ...headers, ...authorization }, body };
}

/** Text with the characters that formats give a meaning, of all planes. */
const awkwardText = fc.oneof(
  fc.string({ unit: "binary", maxLength: 60 }),
  fc.string({ unit: fc.constantFrom(..."a ,=\\\"'<>&*_`@#\n\r\t{}[]/$é🌡"), maxLength: 60 }),
);

export const awkwardTopic = awkwardText
  .map((text) => text.replaceAll(/[+#\0]/g, "-").toWellFormed())
  .filter((text) => text !== "" && !text.startsWith("$"));

const awkwardNames = fc.oneof(
  fc.constantFrom("", "_", "time", "topic", "state", "a b", "k=,\\", "severity"),
  awkwardText,
);
const { json: awkwardJson } = fc.letrec<{ json: unknown }>((tie) => ({
  json: fc.oneof(
    { depthSize: "small", withCrossShrink: true },
    fc.oneof(
      fc.double({ noNaN: true, noDefaultInfinity: true }),
      fc.maxSafeInteger(),
      fc.boolean(),
      fc.constant(null),
      awkwardText,
      fc.constantFrom("ok", "RESOLVED", "", "critical"),
    ),
    fc.array(tie("json"), { maxLength: 4 }),
    fc.dictionary(awkwardNames, tie("json"), { maxKeys: 5 }),
  ),
}));

export const awkwardPayload = fc.oneof(
  awkwardJson.map((value) => Buffer.from(JSON.stringify(value))),
  awkwardText.map((text) => Buffer.from(text)),
  fc.uint8Array({ maxLength: 40 }).map((bytes) => Buffer.from(bytes)),
  fc
    .constantFrom(
      "weather,location=us temperature=82 1465839830100400200",
      'm t="a b",n=1i\nm n=2i\n',
      "hello a=1x",
      "m a=1i,",
    )
    .map((text) => Buffer.from(text)),
  fc.constantFrom("🌡", "&", "x", "\\").map((character) => Buffer.from(character.repeat(30_000))),
);
