/** Tools that only read. */
import type { Hook } from "../../client/index.ts";
import { tail } from "./tail.ts";
import { idField, type Tool, webhookId } from "./tool.ts";

const LIST = ["limit", "after"] as const;
const SAMPLES = {
  properties: {
    webhook: { $ref: "#/components/schemas/WebhookInput" },
    messages: { type: "array", minItems: 1, maxItems: 50, items: { $ref: "#/components/schemas/SampleMessage" } },
  },
  required: ["webhook", "messages"],
};

export const READ_TOOLS: readonly Tool[] = [
  {
    ...{ name: "status", title: "Status of the bridge", operation: "getStatus", effect: "read" },
    description: "Returns the connections of the bridge to broker and store, its versions, settings and ledgers.",
    input: () => [],
    run: (causeway, _input, options) => causeway.status(options),
  },
  {
    ...{ name: "list_webhooks", title: "List webhooks", operation: "listWebhooks", effect: "read" },
    description:
      "Lists the webhooks with their state (active, paused, disabled, failing) and the counts of deliveries.",
    input: (contract) => [contract.parameters("listWebhooks", "state", "name", "topic", "externalId", ...LIST)],
    run: (causeway, input, options) => causeway.webhooks.list(input, options).page(),
  },
  {
    ...{ name: "get_webhook", title: "Get a webhook", operation: "getWebhook", effect: "read" },
    description: "Returns a webhook: settings, state, why it fails, and the counts of its deliveries.",
    input: () => [webhookId],
    run: (causeway, { id }, options) => causeway.webhooks.get(id, options),
  },
  {
    ...{ name: "list_deliveries", title: "List deliveries", operation: "listAllDeliveries", effect: "read" },
    description:
      "Lists deliveries to webhooks, newest first, with their last attempt. Status failed is the dead letter queue.",
    isUntrusted: true,
    input: (contract) => [
      contract.parameters("listAllDeliveries", "webhookId", "status", "topic", "since", "until", ...LIST),
    ],
    run: (causeway, input, options) => causeway.deliveries.list(input, options).page(),
  },
  {
    ...{ name: "get_delivery", title: "Get a delivery", operation: "getDelivery", effect: "read" },
    description: "Returns a delivery with its message and the log of its attempts: requests, statuses and errors.",
    isUntrusted: true,
    input: () => [idField("webhookId", "The id of the webhook: wh_…"), idField("messageId", "The id of the message")],
    run: (causeway, { webhookId, messageId }, options) => causeway.deliveries.get(webhookId, messageId, options),
  },
  {
    ...{ name: "get_message", title: "Get a message", operation: "getMessage", effect: "read" },
    description: "Returns a received message with its deliveries, or the state of a stored or scheduled one.",
    isUntrusted: true,
    input: () => [idField("id", "The id of the message: msg_…")],
    run: (causeway, { id }, options) => causeway.messages.get(id, options),
  },
  {
    ...{ name: "metrics", title: "Metrics", operation: "getAllMetrics", effect: "read" },
    description: "Returns messages and deliveries over time, and the totals of each webhook.",
    input: (contract) => [contract.parameters("getAllMetrics", "range", "stepSeconds")],
    run: (causeway, input, options) => causeway.metrics(input, options),
  },
  {
    ...{ name: "webhook_metrics", title: "Metrics of a webhook", operation: "getWebhookMetrics", effect: "read" },
    description: "Returns the deliveries, attempts and durations of one webhook over time.",
    input: (contract) => [webhookId, contract.parameters("getWebhookMetrics", "range", "stepSeconds")],
    run: (causeway, { id, ...query }, options) => causeway.webhooks.metrics(id, query, options),
  },
  {
    ...{ name: "list_retained", title: "List retained messages", operation: "listRetained", effect: "read" },
    description: "Lists the topics under a filter that hold a retained message, without the payloads.",
    isUntrusted: true,
    input: (contract) => [contract.parameters("listRetained", "filter", ...LIST)],
    run: (causeway, input, options) => causeway.topics.list(input, options).page(),
  },
  {
    ...{ name: "get_retained_message", title: "Get a retained message", operation: "getRetained", effect: "read" },
    description: "Returns the retained message of a topic, which is often the last known state of a device.",
    isUntrusted: true,
    input: () => [{ properties: { topic: { type: "string", minLength: 1 } }, required: ["topic"] }],
    run: async (causeway, input, options) => {
      const { topic, qos, contentType, userProperties, payload } = await causeway.topics.get(input.topic, options);
      return { topic, qos, contentType, userProperties, ...textOrBase64(payload) };
    },
  },
  tail,
  {
    ...{ name: "preview_webhook", title: "Preview a webhook", operation: "previewWebhook", effect: "read" },
    description:
      "Returns the requests that a webhook with these settings would send for sample messages, or why its filter or " +
      "transform fails. Nothing is stored or sent.",
    isIdempotent: true,
    isUntrusted: true,
    input: () => [SAMPLES],
    run: async (causeway, { webhook, messages }, options) => ({
      results: await causeway.webhooks.previewAll(webhook, messages, options),
    }),
  },
  {
    ...{ name: "list_hooks", title: "List hooks", operation: "listHooks", effect: "read" },
    description: "Lists inbound hooks: URLs that other services call to publish messages. Their paths are secret.",
    input: (contract) => [contract.parameters("listHooks", ...LIST)],
    run: async (causeway, input, options) => {
      const { items, nextCursor } = await causeway.hooks.list(input, options).page();
      return { items: items.map(withoutPath), nextCursor };
    },
  },
  {
    ...{ name: "list_keys", title: "List API keys", operation: "listKeys", effect: "read" },
    description: "Lists the API keys with their rights, without the keys themselves.",
    input: (contract) => [contract.parameters("listKeys", ...LIST)],
    run: (causeway, input, options) => causeway.keys.list(input, options).page(),
  },
];

/** A hook without its path: who knows it can call the hook. */
export function withoutPath({ path: _, ...hook }: Hook): Omit<Hook, "path"> {
  return hook;
}

function textOrBase64(bytes: Uint8Array): { payload: string } | { payloadBase64: string } {
  const buffer = Buffer.from(bytes);
  const text = buffer.toString();
  return Buffer.from(text).equals(buffer) ? { payload: text } : { payloadBase64: buffer.toString("base64") };
}
