/** `causeway webhooks`: registrations. */
import { type Command, Option } from "commander";
import type { Causeway, Webhook, WebhooksQuery } from "../../client/index.ts";
import { EXIT, UsageError } from "../failures.ts";
import type { Output } from "../output/output.ts";
import type { Column } from "../output/table.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples, addListOptions, id, integer, limitOf, present, readPayload } from "../settings/options.ts";
import { addPresets } from "./presets.ts";
import { addWebhookFields, readWebhookFields, type WebhookFields } from "./webhook-fields.ts";

const COLOURS = { active: "green", paused: "dim", disabled: "red", failing: "red" } as const;

type WebhookListOptions = Pick<WebhooksQuery, "state" | "name" | "topic" | "externalId"> & {
  limit: number;
  all?: true;
};

function columns(output: Output): Column<Webhook>[] {
  return [
    { title: "ID", value: ({ id }) => id },
    { title: "STATE", value: ({ state }) => state, paint: (text, { state }) => output.paint(COLOURS[state], text) },
    { title: "URL", value: ({ url }) => url ?? "(pull)", mayShrink: true },
    { title: "FAILED", value: ({ counts }) => counts.failed, isOptional: true },
    { title: "WAITING", value: ({ counts }) => counts.pending + counts.retrying + counts.active, isOptional: true },
    { title: "NAME", value: ({ name }) => name, mayShrink: true, isOptional: true },
    { title: "TOPICS", value: ({ topics }) => topics.join(" "), mayShrink: true, isOptional: true },
  ];
}

export function addWebhooks(program: Command, runtime: Runtime): void {
  const webhooks = program.command("webhooks").summary("manage webhooks").description("Manages webhooks.");
  addExamples(
    addListOptions(webhooks.command("list").description("Lists the webhooks."))
      .addOption(new Option("--state <state>", "webhooks in this state").choices(Object.keys(COLOURS)))
      .option("--name <text>", "webhooks whose name contains the text")
      .option("--topic <topic>", "webhooks that get a message on this topic")
      .option("--external-id <id>", "the webhook with this external id")
      .action(async ({ limit, all, ...query }: WebhookListOptions, self: Command) => {
        const causeway = await runtime.client(self);
        const output = runtime.output(self);
        await output.list(causeway.webhooks.list(query), columns(output), limitOf({ limit, all }));
      }),
    "causeway webhooks list --topic devices/pi-7/telemetry",
    "causeway webhooks list --state failing --all --json | jq -r .id",
  );
  addCreateAndUpdate(webhooks, runtime);
  addOnOne(
    webhooks,
    runtime,
    "get",
    "Shows a webhook, its state and its counts.",
    async (causeway, webhookId, output) => {
      const { id, name, url, ...more } = await causeway.webhooks.get(webhookId);
      output.document({ id, ...(name !== undefined && { name }), ...(url !== undefined && { url }), ...more });
    },
  );
  addOnOne(
    webhooks,
    runtime,
    "delete",
    "Deletes a webhook and drops its waiting deliveries.",
    async (causeway, webhookId, output) => {
      await causeway.webhooks.delete(webhookId);
      output.document({ id: webhookId, outcome: "deleted" }, `deleted ${webhookId}`);
    },
  );
  addOnOne(
    webhooks,
    runtime,
    "pause",
    "Stops the deliveries of a webhook; messages keep collecting.",
    async (causeway, webhookId, output) => {
      const webhook = await causeway.webhooks.pause(webhookId);
      output.document(webhook, `${webhookId} is ${webhook.state}`);
    },
  );
  addOnOne(
    webhooks,
    runtime,
    "resume",
    "Resumes the deliveries of a webhook, also of a disabled one.",
    async (causeway, webhookId, output) => {
      const webhook = await causeway.webhooks.resume(webhookId);
      output.document(webhook, `${webhookId} is ${webhook.state}`);
    },
  );
  addOnOne(
    webhooks,
    runtime,
    "test",
    "Sends a test event through the queue of a webhook.",
    async (causeway, webhookId, output) => {
      const { messageId } = await causeway.webhooks.test(webhookId);
      output.document({ messageId }, messageId);
      output.note(`see its delivery: causeway deliveries get ${webhookId} ${messageId}`);
    },
  );
  addRotation(webhooks, runtime);
  addPreview(webhooks, runtime);
  addPresets(webhooks, runtime);
}

type OnOne = (causeway: Causeway, id: string, output: Output) => Promise<void>;

function addOnOne(parent: Command, runtime: Runtime, name: string, description: string, act: OnOne): void {
  const command = parent
    .command(name)
    .description(description)
    .argument("<id>", "id of the webhook", id)
    .action(async (webhookId: string, _options, self: Command) =>
      act(await runtime.client(self), webhookId, runtime.output(self)),
    );
  addExamples(command, `causeway webhooks ${name} wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11`);
}

function addCreateAndUpdate(parent: Command, runtime: Runtime): void {
  const create = addWebhookFields(parent.command("create"))
    .addOption(new Option("--type <type>", "pull: consumers take the deliveries").choices(["push", "pull"]))
    .description("Registers a webhook, and shows it with its signing secret. The secret is not shown again.")
    .action(async (options: WebhookFields, self: Command) => {
      const webhook = await readWebhookFields(options);
      if (!("topics" in webhook && ("url" in webhook || webhook.type === "pull")))
        throw new UsageError("give --url, --preset or --type pull, and --topic, or --data with them");
      const causeway = await runtime.client(self);
      runtime.output(self).document(await causeway.webhooks.create(webhook as never));
    });
  addExamples(
    create,
    "causeway webhooks create --url https://example.com/hook --topic 'devices/+/telemetry'",
    "causeway webhooks create --url https://example.com/hook --topic 'devices/#' --filter 'data.celsius > 30'",
    "causeway webhooks create --type pull --topic 'devices/+/telemetry'",
    "causeway webhooks create --preset ntfy --set server=https://ntfy.sh --set topic=plant-7 --topic 'plant/7/alarms'",
    "causeway webhooks create --data @webhook.json",
  );
  const update = addWebhookFields(parent.command("update"))
    .description("Changes fields of a webhook. In --data, null removes an optional field.")
    .argument("<id>", "id of the webhook", id)
    .action(async (webhookId: string, options: WebhookFields, self: Command) => {
      const patch = await readWebhookFields(options);
      if (Object.keys(patch).length === 0) throw new UsageError("give at least one field to change");
      const causeway = await runtime.client(self);
      runtime.output(self).document(await causeway.webhooks.update(webhookId, patch));
    });
  addExamples(
    update,
    "causeway webhooks update wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11 --concurrency 20",
    "causeway webhooks update wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11 --data '{\"filter\": null}'",
  );
}

function addRotation(parent: Command, runtime: Runtime): void {
  const command = parent
    .command("rotate-secret")
    .description("Replaces the signing secret and prints the new one. Requests are signed with both for a while.")
    .argument("<id>", "id of the webhook", id)
    .option("--grace <seconds>", "how long the old secret signs as well (default: 86400)", integer(0))
    .option("--secret <secret>", "a secret of your own, whsec_ and base64")
    .action(async (webhookId: string, { grace, secret }: { grace?: number; secret?: string }, self: Command) => {
      const causeway = await runtime.client(self);
      const rotation = present({ graceSeconds: grace, secret });
      const webhook = await causeway.webhooks.rotateSecret(webhookId, rotation);
      const output = runtime.output(self);
      output.document(webhook, webhook.secret);
      output.note("keep the secret, it is not shown again");
    });
  addExamples(command, "causeway webhooks rotate-secret wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11 --grace 3600");
}

interface PreviewOptions extends WebhookFields {
  webhook?: string;
}

function addPreview(parent: Command, runtime: Runtime): void {
  const command = addWebhookFields(
    parent
      .command("preview")
      .description(
        "Shows the request that a webhook would send for a message; nothing is sent. Exits with 1 if there is none.",
      )
      .argument("<message-topic>", "topic of the message")
      .argument("[payload]", "payload as text, or - for standard input"),
  )
    .option("--webhook <id>", "a registered webhook, with the given fields changed", id)
    .action(async (topic: string, payload: string | undefined, options: PreviewOptions, self: Command) => {
      const bytes = await readPayload(payload ?? "", undefined);
      const causeway = await runtime.client(self);
      const { webhook: webhookId, ...fields } = options;
      const registered = webhookId === undefined ? {} : registrationOf(await causeway.webhooks.get(webhookId));
      const given: Record<string, unknown> = { topics: ["#"], ...registered, ...(await readWebhookFields(fields)) };
      const webhook = { ...(given.type !== "pull" && { url: "https://example.com/" }), ...given };
      const message = { topic, payloadBase64: bytes.toString("base64"), ...present({ qos: options.qos }) };
      const preview = await causeway.webhooks.preview(webhook as never, message);
      runtime.output(self).document(preview);
      if (preview.outcome !== "sent") runtime.exitCode = EXIT.no;
    });
  addExamples(
    command,
    "causeway webhooks preview devices/pi-7/telemetry '{\"celsius\":21.5}' --filter 'data.celsius > 30'",
    "causeway webhooks preview devices/pi-7/telemetry '{\"celsius\":21.5}' --webhook wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11",
  );
}

/** Fields of a webhook that are no part of its registration. */
const READ_ONLY = [
  "id",
  "state",
  "counts",
  "verification",
  "disabled",
  "failingSince",
  "nextProbeAt",
  "refusedTopics",
  "oldSecretUntil",
  "createdAt",
  "updatedAt",
];

/** The registration as it was sent, without credentials: they are masked and do not change the preview. */
function registrationOf(webhook: Webhook): Record<string, unknown> {
  const isSent = ([field, value]: [string, unknown]) =>
    !READ_ONLY.includes(field) && field !== "auth" && value !== null;
  return Object.fromEntries(Object.entries(webhook).filter(isSent));
}
