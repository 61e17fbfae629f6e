/** `causeway deliveries`: what became of each message. */
import { type Command, Option } from "commander";
import type { Delivery } from "../../client/index.ts";
import type { Output } from "../output/output.ts";
import type { Column } from "../output/table.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples, addListOptions, id, limitOf, past, present } from "../settings/options.ts";
import { addReplay } from "./replay.ts";

const STATUSES = ["pending", "active", "retrying", "succeeded", "failed"] as const;
const COLOURS = { pending: "dim", active: "cyan", retrying: "yellow", succeeded: "green", failed: "red" } as const;

interface ListOptions {
  webhook?: string;
  status?: (typeof STATUSES)[number];
  topic?: string;
  since?: string;
  until?: string;
  limit: number;
  all?: true;
}

function columns(output: Output): Column<Delivery>[] {
  return [
    { title: "MESSAGE", value: ({ messageId }) => messageId },
    {
      title: "STATUS",
      value: ({ status }) => status,
      paint: (text, { status }) => output.paint(COLOURS[status], text),
    },
    { title: "TOPIC", value: ({ topic }) => topic, mayShrink: true },
    { title: "TRIES", value: ({ attempts }) => attempts, isOptional: true },
    { title: "LAST", value: (delivery) => lastResult(delivery), isOptional: true },
    { title: "RECEIVED", value: ({ receivedAt }) => receivedAt.slice(0, 19), isOptional: true },
    { title: "WEBHOOK", value: ({ webhookId }) => webhookId, isOptional: true },
  ];
}

function lastResult({ lastAttempt }: Delivery): string | number | null | undefined {
  return lastAttempt?.error === "http_error" ? lastAttempt.statusCode : (lastAttempt?.error ?? lastAttempt?.statusCode);
}

export function addDeliveries(program: Command, runtime: Runtime): void {
  const deliveries = program
    .command("deliveries")
    .summary("show, retry and replay deliveries")
    .description("Shows, retries and replays deliveries.");
  addList(deliveries, runtime);
  const get = deliveries
    .command("get")
    .description("Shows a delivery with its message and the log of its attempts.")
    .argument("<webhook-id>", "id of the webhook", id)
    .argument("<message-id>", "id of the message", id)
    .action(async (webhookId: string, messageId: string, _options, self: Command) => {
      const causeway = await runtime.client(self);
      runtime.output(self).document(await causeway.deliveries.get(webhookId, messageId));
    });
  addExamples(get, `causeway deliveries get ${EXAMPLE_IDS}`);
  const retry = deliveries
    .command("retry")
    .description("Delivers a message again, at once.")
    .argument("<webhook-id>", "id of the webhook", id)
    .argument("<message-id>", "id of the message", id)
    .action(async (webhookId: string, messageId: string, _options, self: Command) => {
      const causeway = await runtime.client(self);
      const delivery = await causeway.deliveries.retry(webhookId, messageId);
      runtime.output(self).document(delivery, `${messageId} is ${delivery.status}`);
    });
  addExamples(retry, `causeway deliveries retry ${EXAMPLE_IDS}`);
  addReplay(deliveries, runtime);
}

const EXAMPLE_IDS = "wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11 msg_019a3c60-1b2f-7e53-8a4e-3b7a8c1f2d90";

function addList(deliveries: Command, runtime: Runtime): void {
  const command = addListOptions(
    deliveries
      .command("list")
      .description("Lists deliveries, newest first.")
      .option("--webhook <id>", "of this webhook only", id)
      .addOption(new Option("--status <status>", "with this status only").choices(STATUSES))
      .option("--topic <filter>", "of messages that match this topic filter only")
      .option("--since <time>", "received at this time or later, or within a duration such as 2h", past)
      .option("--until <time>", "received before this time", past),
  ).action(async ({ webhook, limit, all, ...query }: ListOptions, self: Command) => {
    const causeway = await runtime.client(self);
    const output = runtime.output(self);
    const list = causeway.deliveries.list(present({ ...query, webhookId: webhook }));
    await output.list(list, columns(output), limitOf({ limit, all }));
  });
  addExamples(
    command,
    "causeway deliveries list --status failed --since 24h",
    "causeway deliveries list --topic 'devices/pi-7/#' --json",
  );
}
