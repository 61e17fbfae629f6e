/** Tools with effects, which need `--allow-write`. */
import { withoutPath } from "./read-tools.ts";
import { idField, type Tool, webhookId } from "./tool.ts";

export const WRITE_TOOLS: readonly Tool[] = [
  {
    ...{ name: "publish", title: "Publish a message", operation: "publishMessage", effect: "change" },
    description: "Publishes a message to devices. What it causes depends on the devices.",
    input: (contract) => [
      contract.fields("MessageInput"),
      {
        properties: {
          durable: {
            type: "boolean",
            description: "Store it and publish it as soon as the broker is available. Implied by sendAt.",
          },
        },
      },
    ],
    run: (causeway, { durable, ...message }, options) =>
      durable || message.sendAt !== undefined
        ? causeway.messages.publishLater(message, options)
        : causeway.messages.publish(message, options),
  },
  {
    ...{ name: "request_device", title: "Ask a device", operation: "sendRequest", effect: "change" },
    description: "Sends a request to a device and returns its response, or request_timeout.",
    isUntrusted: true,
    input: (contract) => [contract.fields("RequestInput", { without: ["expirySeconds"] })],
    run: (causeway, input, options) => causeway.requests.send(input, options),
  },
  {
    ...{ name: "create_webhook", title: "Create a webhook", operation: "createWebhook", effect: "add" },
    description:
      "Registers a webhook. Preview it first. The signing secret is not in the result: rotate it with " +
      "`causeway webhooks rotate-secret` or in the dashboard to see one.",
    input: (contract) => [contract.fields("WebhookInput")],
    run: async (causeway, input, options) => {
      const { secret: _, ...webhook } = await causeway.webhooks.create(input, options);
      return webhook;
    },
  },
  {
    ...{ name: "update_webhook", title: "Change a webhook", operation: "updateWebhook", effect: "change" },
    description: "Changes the given fields of a webhook; null removes an optional one.",
    isIdempotent: true,
    input: () => [
      webhookId,
      { properties: { changes: { $ref: "#/components/schemas/WebhookPatch" } }, required: ["changes"] },
    ],
    run: (causeway, { id, changes }, options) => causeway.webhooks.update(id, changes, options),
  },
  {
    ...{ name: "pause_webhook", title: "Pause a webhook", operation: "pauseWebhook", effect: "change" },
    description: "Stops the deliveries of a webhook; its messages keep collecting.",
    isIdempotent: true,
    input: () => [webhookId],
    run: (causeway, { id }, options) => causeway.webhooks.pause(id, options),
  },
  {
    ...{ name: "resume_webhook", title: "Resume a webhook", operation: "resumeWebhook", effect: "change" },
    description: "Resumes the deliveries of a paused or disabled webhook: all that collected is delivered.",
    isIdempotent: true,
    input: () => [webhookId],
    run: (causeway, { id }, options) => causeway.webhooks.resume(id, options),
  },
  {
    ...{ name: "test_webhook", title: "Test a webhook", operation: "testWebhook", effect: "add" },
    description: "Sends a test event through the queue of a webhook. get_delivery shows its outcome.",
    input: () => [webhookId],
    run: (causeway, { id }, options) => causeway.webhooks.test(id, options),
  },
  {
    ...{ name: "retry_delivery", title: "Retry a delivery", operation: "retryDelivery", effect: "change" },
    description: "Delivers a message to a webhook again, at once, also if it was delivered before.",
    isUntrusted: true,
    input: () => [idField("webhookId", "The id of the webhook: wh_…"), idField("messageId", "The id of the message")],
    run: (causeway, { webhookId, messageId }, options) => causeway.deliveries.retry(webhookId, messageId, options),
  },
  {
    ...{ name: "replay_deliveries", title: "Replay deliveries", operation: "replayDeliveries", effect: "change" },
    description:
      "Delivers again all deliveries of a webhook with a final status, in the background. Only counts them unless " +
      "dryRun is false: count first, and tell the user the number.",
    input: (contract) => [
      webhookId,
      contract.fields("ReplayInput", { without: ["dryRun"] }),
      { properties: { dryRun: { type: "boolean", default: true, description: "Only count." } } },
    ],
    run: async (causeway, { id, dryRun = true, ...range }, options) =>
      dryRun
        ? { dryRun: true, count: await causeway.webhooks.countReplay(id, range, options) }
        : causeway.webhooks.replay(id, range, options),
  },
  {
    ...{ name: "create_hook", title: "Create a hook", operation: "createHook", effect: "add" },
    description:
      "Creates an inbound hook: a URL that another service calls to publish messages. Its secret path is not in the " +
      "result: `causeway hooks get ID` shows it.",
    input: (contract) => [contract.fields("HookInput")],
    run: async (causeway, input, options) => withoutPath(await causeway.hooks.create(input, options)),
  },
];
