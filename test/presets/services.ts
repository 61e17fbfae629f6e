/**
 * The services of the presets as receivers: each checks a request by the rules that the service publishes, and responds
 * as the service does.
 */
import assert from "node:assert/strict";
import { Ajv, type ValidateFunction } from "ajv";
import { readLines } from "./line-protocol.ts";

export interface ServiceRequest {
  method: string;
  /** With the query. */
  path: string;
  headers: Record<string, string | string[] | undefined>;
  body: Buffer;
}

export interface Service {
  /** Throws if the service would refuse the request. */
  check(request: ServiceRequest): void;
  response: { status: number; body?: string };
}

const ajv = new Ajv({ allErrors: true, strict: true, strictRequired: false, allowUnionTypes: true });
// Characters are UTF-16 code units where the service does not say: the strictest reading.
ajv.addKeyword({
  keyword: "maxUnits",
  schemaType: "number",
  validate: (max: number, text: unknown) => `${text}`.length <= max,
});
ajv.addKeyword({
  keyword: "maxBytes",
  schemaType: "number",
  validate: (max: number, text: unknown) => Buffer.byteLength(`${text}`) <= max,
});

/** Checks the request line, the type and the JSON body. Returns the body. */
function json({ method, path, headers, body }: ServiceRequest, url: RegExp, schema: ValidateFunction) {
  assert.equal(method, "POST");
  assert.match(path, url);
  assert.match(String(headers["content-type"]), /^application\/json(?:;|$)/);
  const value: unknown = JSON.parse(new TextDecoder("utf-8", { fatal: true }).decode(body));
  assert.ok(schema(value), JSON.stringify(schema.errors));
  return value as Record<string, unknown>;
}

const object = (properties: object, required: string[]) =>
  ajv.compile({ type: "object", properties, required, additionalProperties: false });

/**
 * https://docs.discord.com/developers/resources/webhook#execute-webhook and IncomingWebhookRequestPartial in
 * https://github.com/discord/discord-api-spec/blob/main/specs/openapi.json
 */
const discordMessage = object(
  {
    content: { type: "string", minLength: 1, maxUnits: 2_000 },
    username: { type: "string", minLength: 1, maxUnits: 80 },
    tts: { type: "boolean" },
    allowed_mentions: {
      type: "object",
      properties: { parse: { type: "array", items: { enum: ["users", "roles", "everyone"] }, uniqueItems: true } },
    },
    flags: { type: "integer" },
  },
  ["content"],
);

/**
 * https://docs.slack.dev/messaging/sending-messages-using-incoming-webhooks
 * Messages beyond 40,000 characters are cut: https://docs.slack.dev/reference/methods/chat.postMessage#truncating
 */
const slackMessage = object({ text: { type: "string", minLength: 1, maxUnits: 40_000 } }, ["text"]);

/** https://core.telegram.org/bots/api#sendmessage */
const telegramMessage = object(
  {
    chat_id: { type: ["integer", "string"], pattern: "^(?:-?\\d+|@\\w{4,})$" },
    text: { type: "string", maxUnits: 4_096, pattern: "\\S" },
  },
  ["chat_id", "text"],
);

/** https://docs.ntfy.sh/publish/#publish-as-json and https://docs.ntfy.sh/publish/#limitations */
const ntfyMessage = object(
  {
    topic: { type: "string", pattern: "^[-_A-Za-z0-9]{1,64}$" },
    message: { type: "string", maxBytes: 4_096 },
    title: { type: "string" },
    priority: { type: "integer", minimum: 1, maximum: 5 },
  },
  ["topic"],
);

/**
 * https://developer.pagerduty.com/docs/send-alert-event and
 * https://github.com/PagerDuty/api-schema/blob/main/reference/events-v2/openapiv3.json
 */
const pagerDutyEvent = object(
  {
    // "Length of 'routing_key' is incorrect (should be 32 characters)"
    routing_key: { type: "string", pattern: "^\\w{32}$" },
    event_action: { enum: ["trigger", "acknowledge", "resolve"] },
    dedup_key: { type: "string", minLength: 1, maxUnits: 255 },
    client: { type: "string" },
    payload: {
      type: "object",
      properties: {
        summary: { type: "string", minLength: 1, maxUnits: 1_024 },
        source: { type: "string", minLength: 1 },
        severity: { enum: ["critical", "error", "warning", "info"] },
        timestamp: {
          type: "string",
          pattern: "^\\d{4}-\\d\\d-\\d\\dT\\d\\d:\\d\\d:\\d\\d(?:\\.\\d+)?(?:Z|[+-]\\d\\d:?\\d\\d)$",
        },
        custom_details: { type: "object" },
      },
      required: ["summary", "source", "severity"],
      additionalProperties: false,
    },
  },
  ["routing_key", "event_action", "dedup_key", "payload"],
);

const telegrafMetric = object(
  { topic: { type: "string" }, time: { type: "string" }, data: { type: ["object", "number"] } },
  ["topic", "data"],
);

/** Any object: automations and workflows read its members. */
const anyObject = ajv.compile({ type: "object", required: ["id", "topic", "time", "payload"] });

export const SERVICES: Record<string, Service> = {
  discord: {
    check: (request) => json(request, /^\/api\/(?:v\d+\/)?webhooks\/\d+\/[\w-]+$/, discordMessage),
    response: { status: 204 },
  },
  slack: {
    check(request) {
      const { text } = json(request, /^\/services\/\w+\/\w+\/\w+$/, slackMessage);
      // https://docs.slack.dev/messaging/formatting-message-text#escaping
      assert.doesNotMatch(String(text), /[<>]|&(?!amp;|lt;|gt;)/);
    },
    response: { status: 200, body: "ok" },
  },
  telegram: {
    check: (request) => json(request, /^\/bot\d+:[\w-]+\/sendMessage$/, telegramMessage),
    response: { status: 200, body: '{"ok":true,"result":{}}' },
  },
  ntfy: {
    check(request) {
      json(request, /^\/$/, ntfyMessage);
      assert.match(String(request.headers.authorization), /^Bearer tk_\w{29}$/);
    },
    response: { status: 200, body: '{"id":"x","event":"message"}' },
  },
  pagerduty: {
    check(request) {
      json(request, /^\/v2\/enqueue$/, pagerDutyEvent);
      assert.ok(request.body.length <= 512 * 1_024, "events have at most 512 KB");
    },
    response: { status: 202, body: '{"status":"success","message":"Event processed","dedup_key":"x"}' },
  },
  influxdb: {
    // https://docs.influxdata.com/influxdb/v2/api/#operation/PostWrite
    check({ method, path, headers, body }) {
      assert.equal(method, "POST");
      const { pathname, searchParams } = new URL(path, "http://influxdb");
      assert.equal(pathname, "/api/v2/write");
      assert.ok(searchParams.get("org") && searchParams.get("bucket"));
      assert.ok(["ns", "us", "ms", "s"].includes(searchParams.get("precision") ?? "ns"));
      assert.match(String(headers.authorization), /^Token \S+$/);
      assert.equal(headers["content-type"], "text/plain; charset=utf-8");
      const points = readLines(new TextDecoder("utf-8", { fatal: true }).decode(body));
      assert.ok(points.length > 0, "writing requires points");
    },
    response: { status: 204 },
  },
  telegraf: {
    // https://docs.influxdata.com/telegraf/v1/data_formats/input/json/: an object; numbers become fields.
    check: (request) => json(request, /^\/telegraf$/, telegrafMetric),
    response: { status: 204 },
  },
  "home-assistant": {
    // https://www.home-assistant.io/docs/automation/trigger/#webhook-trigger
    check: (request) => json(request, /^\/api\/webhook\/[\w-]+$/, anyObject),
    response: { status: 200 },
  },
  "home-assistant-events": {
    // https://developers.home-assistant.io/docs/api/rest/: POST /api/events/<event_type>
    check(request) {
      json(request, /^\/api\/events\/\w+$/, anyObject);
      assert.match(String(request.headers.authorization), /^Bearer \S+$/);
    },
    response: { status: 200, body: '{"message":"Event fired."}' },
  },
  n8n: {
    // https://docs.n8n.io/integrations/builtin/core-nodes/n8n-nodes-base.webhook/
    check: (request) => json(request, /^\/webhook\/[\w-]+$/, anyObject),
    response: { status: 200, body: '{"message":"Workflow was started"}' },
  },
};
