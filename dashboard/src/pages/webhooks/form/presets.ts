/**
 * Presets of the form: what well-known services expect of a webhook call. Pure.
 *
 * The services read JSON only as `application/json`, so a transform builds the body and binary mode sends its result
 * as it is. Device data is cut and escaped so that no message is refused or read as markup.
 */
import type { Placeholder, Preset } from "./apply-preset.ts";

/** The payload as text, whatever the device sent. */
const TEXT = `$text := $exists(data) ? ($type(data) = "string" ? data : $string(data)) : "(binary payload)";`;
/** The whole event as one JSON object, for services that run a flow with it. */
const WHOLE = `{
  "id": id, "topic": subject, "time": time,
  "payload": $exists(data) ? data : data_base64
}`;
/** The result of the transform is the body. */
const AS_IS = { mode: "binary", method: "POST" } as const;
const HTTP_URL = /^https?:\/\/\S+$/;
const NO_TEST = "Test events skip the transform, and the service refuses them. Publish a message to try it.";

const serverAt = (example: string, hint: string): Placeholder => ({
  id: "server",
  label: "Server",
  hint,
  example,
  pattern: /^https?:\/\/[^/\s]+\/?$/,
  isUrl: true,
});

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
      ...AS_IS,
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
      ...AS_IS,
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
      serverAt("https://ntfy.sh", "ntfy.sh or your own. Messages go to its root, not to the topic's address."),
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
      ...AS_IS,
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
      ...AS_IS,
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
      serverAt("http://influxdb.example.com:8086", "InfluxDB 2, InfluxDB 3 or InfluxDB Cloud."),
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
      ...AS_IS,
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
      ...AS_IS,
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
      serverAt(
        "http://homeassistant.local:8123",
        "An address in your own network must be in WEBHOOK_ALLOW_NETWORKS of the bridge.",
      ),
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
      ...AS_IS,
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
