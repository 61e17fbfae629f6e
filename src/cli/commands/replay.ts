/** `causeway deliveries replay`: delivers again what failed, and shows how far it is. */
import { setTimeout as delay } from "node:timers/promises";
import { type Command, Option } from "commander";
import type { Causeway, Replay, ReplayInput } from "../../client/index.ts";
import { EXIT } from "../failures.ts";
import type { Output } from "../output/output.ts";
import { Progress } from "../output/progress.ts";
import type { Runtime } from "../runtime.ts";
import { addExamples, id, past, present } from "../settings/options.ts";

const POLL_MS = 500;

interface ReplayOptions {
  status: "failed" | "succeeded";
  since?: string;
  until?: string;
  wait: boolean;
  dryRun?: true;
}

export function addReplay(deliveries: Command, runtime: Runtime): void {
  const command = deliveries
    .command("replay")
    .description("Delivers again all deliveries with a status, oldest first, and waits until all of them are queued.")
    .argument("<webhook-id>", "id of the webhook", id)
    .addOption(
      new Option("--status <status>", "deliveries with this status").choices(["failed", "succeeded"]).default("failed"),
    )
    .option("--since <time>", "received at this time or later, or within a duration such as 2h", past)
    .option("--until <time>", "received before this time", past)
    .option("--no-wait", "end at once; the replay goes on at the bridge")
    .option("--dry-run", "only count the deliveries")
    .action(async (webhookId: string, { status, since, until, wait, dryRun }: ReplayOptions, self: Command) => {
      const range: ReplayInput = { status, ...present({ since, until }) };
      const causeway = await runtime.client(self);
      const output = runtime.output(self);
      if (dryRun) {
        const count = await causeway.webhooks.countReplay(webhookId, range);
        return output.document({ count }, `${count} deliveries`);
      }
      const started = await causeway.webhooks.replay(webhookId, range);
      const replay = wait ? await follow(causeway, started, output) : started;
      output.document(replay, `${replay.state}: ${replay.done} of ${replay.count} deliveries`);
      if (replay.state === "cancelled") runtime.exitCode = EXIT.no;
    });
  addExamples(
    command,
    "causeway deliveries replay wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11 --since 24h",
    "causeway deliveries replay wh_019a3c5e-7b20-7c11-9d54-0f6f1f0f8a11 --status succeeded --since 2026-03-01T00:00:00Z --no-wait",
  );
}

async function follow(causeway: Causeway, started: Replay, output: Output): Promise<Replay> {
  const progress = new Progress(output);
  let replay = started;
  try {
    while (replay.state === "running") {
      progress.update(() => ({
        share: replay.count === 0 ? 0 : replay.done / replay.count,
        text: `${replay.done} of ${replay.count} deliveries`,
      }));
      await delay(POLL_MS);
      replay = await causeway.webhooks.getReplay(replay.webhookId, replay.id);
    }
  } finally {
    progress.clear();
  }
  return replay;
}
