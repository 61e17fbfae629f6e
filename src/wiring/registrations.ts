/** Consequences of a changed registration, in order. */
import type { DeliverParts } from "./deliver.ts";
import type { Infrastructure } from "./infrastructure.ts";
import type { QueueParts } from "./queues.ts";
import type { ReceiveParts } from "./receive.ts";

export function followRegistrations(
  { runs, registry, observer }: Pick<Infrastructure, "runs" | "registry" | "observer">,
  { queues, groups, retention }: Pick<QueueParts, "queues" | "groups" | "retention">,
  { election, snapshots }: Pick<ReceiveParts, "election" | "snapshots">,
  { endpoints, watch, workers }: Pick<DeliverParts, "endpoints" | "watch" | "workers">,
): void {
  async function forget(webhookId: string): Promise<void> {
    observer.forget(webhookId);
    groups.forget(webhookId);
    retention.forget(webhookId);
    await queues.close(webhookId);
  }

  registry.onChange((changed) => {
    for (const id of changed) watch.changed(id);
    if (runs.workers) workers.refresh(changed);
    election.refresh();
    for (const id of changed) if (!registry.get(id)) void forget(id);
    if (runs.snapshots) snapshots.refresh();
  });
  // An open breaker limits the worker of its webhook.
  if (runs.workers) endpoints.onChange((changed) => workers.refresh(changed));
}
