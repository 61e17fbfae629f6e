import { useQueryClient } from "@tanstack/preact-query";
import type { Webhook } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Confirm } from "../../../components/dialog.tsx";
import { toast } from "../../../components/toasts.tsx";
import { pathTo } from "../../../data/address.ts";
import { causeway } from "../../../data/causeway.ts";
import { countOf } from "../../../data/format.ts";
import { nameOf } from "../../../data/states.ts";
import { waitingOf } from "./summary.ts";

export function DangerZone({ webhook }: { webhook: Webhook }) {
  const client = useQueryClient();
  const { route } = useLocation();
  const [isAsking, setAsking] = useState(false);
  const waiting = waitingOf(webhook);
  const consequence =
    waiting === 0
      ? "Deletes the webhook. No delivery waits."
      : `Deletes the webhook and drops ${countOf(waiting, "waiting delivery", "waiting deliveries")}.`;
  const remove = async () => {
    await causeway.webhooks.delete(webhook.id);
    void client.invalidateQueries({ queryKey: ["webhooks"] });
    toast(`Deleted ${nameOf(webhook)}.`);
    route(pathTo("webhooks"));
    client.removeQueries({ queryKey: ["webhook", webhook.id] });
  };
  return (
    <section class="panel section danger-zone" aria-labelledby="danger-title">
      <h2 id="danger-title">Delete</h2>
      <div class="section-head">
        <span>{consequence} This cannot be undone.</span>
        <button type="button" class="button danger" onClick={() => setAsking(true)}>
          Delete the webhook
        </button>
      </div>
      {isAsking && (
        <Confirm
          title={`Delete ${nameOf(webhook)}`}
          action="Delete the webhook"
          name={nameOf(webhook)}
          onConfirm={remove}
          onClose={() => setAsking(false)}
        >
          <p>{consequence} Its kept deliveries and their attempts are deleted too. Its signing secret ends.</p>
        </Confirm>
      )}
    </section>
  );
}
