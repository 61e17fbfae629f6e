/**
 * Presets of the form: what well-known services expect of a webhook call. Pure.
 *
 * The services read JSON only as `application/json`, so a transform builds the body and binary mode sends its result
 * as it is. Device data is cut and escaped so that no message is refused or read as markup.
 */
import type { Draft } from "./draft.ts";

/** A value that the person has to give. */
export interface Placeholder {
  id: string;
  label: string;
  hint: string;
  example: string;
  /** Answers that the service can understand. */
  pattern: RegExp;
  /** Whether the answer is a whole URL or its start, which is not percent-encoded. */
  isUrl?: boolean;
  isSecret?: boolean;
}

export interface Preset {
  id: string;
  name: string;
  /** What arrives there, in one sentence. */
  about: string;
  asks: readonly Placeholder[];
  /** Settings; `{{id}}` stands for the answer to a placeholder. */
  settings: Partial<Draft>;
  /** What to know before the first message. */
  note?: string;
}

/** The payload as text, whatever the device sent. */
const TEXT = `$text := $exists(data) ? ($type(data) = "string" ? data : $string(data)) : "(binary payload)";`;
/** The whole event as one JSON object, for services that run a flow with it. */
const WHOLE = `{
  "id": id,
  "topic": subject,
  "time": time,
  "payload": $exists(data) ? data : data_base64
}`;
const HTTP_URL = /^https?:\/\/\S+$/;
const NO_TEST = "Test events skip the transform, and the service refuses them. Publish a message to try it.";

export const PRESETS: readonly Preset[] = [
  {
    id: "plain",
    name: "Plain",
    about: "A CloudEvent in JSON, signed, for a receiver of your own.",
    asks: [],
    settings: { mode: "structured", method: "POST", filter: "", transform: "" },
  },
  {
    id: "discord",
    name: "Discord",
    about: "A message in a channel: the topic, then the payload.",
    asks: [
      {
        id: "url",
        label: "Webhook URL",
        hint: "Channel settings, Integrations, Webhooks, Copy webhook URL. Treat it as a password.",
        example: "https://discord.com/api/webhooks/123/abc",
        pattern: /^https:\/\/(?:\w+\.)?discord(?:app)?\.com\/api\/(?:v\d+\/)?webhooks\/\d+\/[\w-]+$/,
        isUrl: true,
        isSecret: true,
      },
    ],
    // At most 2,000 characters, however they are counted; a mention in device data notifies no one.
    settings: {
      url: "{{url}}",
      mode: "binary",
      method: "POST",
      transform: `(
  ${TEXT}
  {
    "content": $substring("**" & subject & "**\\n" & $text, 0, 1000),
    "allowed_mentions": { "parse": [] }
  }
)`,
    },
    note: NO_TEST,
  },
  {
    id: "slack",
    name: "Slack",
    about: "A message in a channel: the topic, then the payload.",
    asks: [
      {
        id: "url",
        label: "Incoming webhook URL",
        hint: "Your Slack app, Incoming Webhooks, Add new webhook. Treat it as a password.",
        example: "https://hooks.slack.com/services/T000/B000/XXXX",
        pattern: /^https:\/\/hooks\.slack(?:-gov)?\.com\/(?:services|workflows|triggers)\/\S+$/,
        isUrl: true,
        isSecret: true,
      },
    ],
    // Slack reads &, < and > as markup, and allows one message a second.
    settings: {
      url: "{{url}}",
      mode: "binary",
      method: "POST",
      rateMax: "1",
      ratePerSeconds: "1",
      transform: `(
  ${TEXT}
  $plain := $replace($replace($replace($substring($text, 0, 3000), "&", "&amp;"), "<", "&lt;"), ">", "&gt;");
  { "text": "*" & subject & "*\\n" & $plain }
)`,
    },
    note: NO_TEST,
  },
  {
    id: "ntfy",
    name: "ntfy",
    about: "A notification on phones and desktops: the topic is its title.",
    asks: [
      {
        id: "server",
        label: "Server",
        hint: "ntfy.sh or your own. Messages go to its root, not to the topic's address.",
        example: "https://ntfy.sh",
        pattern: /^https?:\/\/[^/\s]+\/?$/,
        isUrl: true,
      },
      {
        id: "topic",
        label: "ntfy topic",
        hint: "Who knows its name can read it.",
        example: "plant-7-alarms",
        pattern: /^[-_A-Za-z0-9]{1,64}$/,
      },
    ],
    settings: {
      url: "{{server}}/",
      mode: "binary",
      method: "POST",
      transform: `(
  ${TEXT}
  {
    "topic": "{{topic}}",
    "title": $substring(subject, 0, 200),
    "message": $substring($text, 0, 1000),
    "priority": 3
  }
)`,
    },
    note: NO_TEST,
  },
  {
    id: "telegram",
    name: "Telegram",
    about: "A message of your bot in a chat: the topic, then the payload.",
    asks: [
      {
        id: "token",
        label: "Bot token",
        hint: "From @BotFather. It becomes part of the URL, which keys that see the webhook can read.",
        example: "123456:ABC-DEF",
        pattern: /^\d+:[\w-]+$/,
        isSecret: true,
      },
      {
        id: "chat",
        label: "Chat",
        hint: "The id of the chat, or @name of a public channel.",
        example: "-1001234567890",
        pattern: /^(?:-?\d+|@\w{4,})$/,
      },
    ],
    // 1 to 4,096 characters, counted in UTF-16; about one message a second in a chat.
    settings: {
      url: "https://api.telegram.org/bot{{token}}/sendMessage",
      mode: "binary",
      method: "POST",
      rateMax: "1",
      ratePerSeconds: "1",
      transform: `(
  ${TEXT}
  { "chat_id": "{{chat}}", "text": $substring(subject & "\\n" & $text, 0, 2000) }
)`,
    },
    note: NO_TEST,
  },
  {
    id: "influxdb",
    name: "InfluxDB",
    about: "Points of devices that send line protocol, byte for byte.",
    asks: [
      {
        id: "server",
        label: "Server",
        hint: "InfluxDB 2, InfluxDB 3 or InfluxDB Cloud.",
        example: "http://influxdb.example.com:8086",
        pattern: /^https?:\/\/[^/\s]+\/?$/,
        isUrl: true,
      },
      { id: "org", label: "Organization", hint: "Its name or id.", example: "plant", pattern: /^.+$/ },
      { id: "bucket", label: "Bucket", hint: "Its name or id.", example: "telemetry", pattern: /^.+$/ },
      {
        id: "token",
        label: "API token",
        hint: "With the right to write to the bucket.",
        example: "abc==",
        pattern: /^[\x21-\x7e]+$/,
        isSecret: true,
      },
    ],
    // Only text can be line protocol; the payload itself is sent, as text/plain.
    settings: {
      url: "{{server}}/api/v2/write?org={{org}}&bucket={{bucket}}&precision=ns",
      mode: "binary",
      method: "POST",
      headers: "Authorization: Token {{token}}",
      filter: `$type(data) = "string" and $contains(data, /^[^\\s#,]+(,[^\\s=,]+=[^\\s,]+)* [^\\s=,]+=\\S/)`,
      transform: "",
    },
    note: "InfluxDB takes no JSON. For devices that send JSON, take InfluxDB through Telegraf.",
  },
  {
    id: "telegraf",
    name: "InfluxDB through Telegraf",
    about: "JSON payloads to Telegraf's HTTP listener, which writes them to InfluxDB.",
    asks: [
      {
        id: "url",
        label: "Listener URL",
        hint: 'Of [[inputs.http_listener_v2]] with data_format = "json" and tag_keys = ["topic"].',
        example: "http://telegraf.example.com:8080/telegraf",
        pattern: HTTP_URL,
        isUrl: true,
      },
    ],
    settings: {
      url: "{{url}}",
      mode: "binary",
      method: "POST",
      filter: `$type(data) in ["object", "number"]`,
      transform: `{ "topic": subject, "time": time, "data": data }`,
    },
    note: NO_TEST,
  },
  {
    id: "home-assistant",
    name: "Home Assistant",
    about: "Starts automations; they read trigger.json.topic and trigger.json.payload.",
    asks: [
      {
        id: "server",
        label: "Server",
        hint: "An address in your own network must be in WEBHOOK_ALLOW_NETWORKS of the bridge.",
        example: "http://homeassistant.local:8123",
        pattern: /^https?:\/\/[^/\s]+\/?$/,
        isUrl: true,
      },
      {
        id: "webhook",
        label: "Webhook ID",
        hint: "Of the webhook trigger of the automation. Who knows it can start the automation.",
        example: "plant-7-Xk2p",
        pattern: /^\S+$/,
        isSecret: true,
      },
    ],
    settings: {
      url: "{{server}}/api/webhook/{{webhook}}",
      mode: "binary",
      method: "POST",
      transform: WHOLE,
    },
    note: "Automations take calls of the local network only, unless local_only is off.",
  },
  {
    id: "n8n",
    name: "n8n",
    about: "Starts a workflow; its nodes read body.topic and body.payload.",
    asks: [
      {
        id: "url",
        label: "Production URL",
        hint: "Of the Webhook node, with the method POST. The test URL works only while the editor listens.",
        example: "https://n8n.example.com/webhook/1f2e",
        pattern: HTTP_URL,
        isUrl: true,
      },
    ],
    settings: { url: "{{url}}", mode: "binary", method: "POST", transform: WHOLE },
  },
];

export type Answers = Readonly<Record<string, string>>;

/** Why an answer cannot be right; undefined if it may be. */
export function answerError({ pattern, example }: Placeholder, answer: string): string | undefined {
  return pattern.test(answer.trim()) ? undefined : `must look like ${example}`;
}

/** Returns the settings of a preset with the answers in place. A missing answer stays visible as `{{id}}`. */
export function applyPreset({ asks, settings }: Preset, answers: Answers): Partial<Draft> {
  const isWhole = /^\{\{\w+\}\}$/;
  const filled = Object.entries(settings).map(([field, template]) => [
    field,
    typeof template === "string" ? fill(template, field, asks, answers) : template,
  ]);
  const draft = Object.fromEntries(filled) as Partial<Draft>;
  return isWhole.test(draft.url ?? "") ? { ...draft, url: "" } : draft;
}

/** Whether every question has an answer that can be right. */
export function isAnswered({ asks }: Preset, answers: Answers): boolean {
  return asks.every((ask) => answerError(ask, answers[ask.id] ?? "") === undefined);
}

/** Whether a URL still contains a question. */
export function isUnfilled(url: string): boolean {
  return /\{\{\w+\}\}/.test(url);
}

function fill(template: string, field: string, asks: readonly Placeholder[], answers: Answers): string {
  return template.replace(/\{\{(\w+)\}\}/g, (whole, id: string) => {
    const answer = answers[id]?.trim() ?? "";
    const ask = asks.find((one) => one.id === id);
    if (!ask || answer === "") return whole;
    if (field === "url") return ask.isUrl ? answer.replace(/\/+$/, "") : encodeURIComponent(answer).replace("%3A", ":");
    // Inside the quotation marks of an expression.
    return field === "headers" ? answer : JSON.stringify(answer).slice(1, -1);
  });
}
