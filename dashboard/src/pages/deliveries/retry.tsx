import { useQueryClient } from "@tanstack/preact-query";
import { useState } from "preact/hooks";
import { toast } from "../../components/toasts.tsx";
import { causeway } from "../../data/causeway.ts";
import { reasonOf } from "../../data/refusal.ts";

interface RetryProps {
  webhookId: string;
  messageId: string;
  /** Pressed by the key `r`. */
  isMain?: boolean;
}

/** Delivers a message to a webhook again, at once. */
export function Retry({ webhookId, messageId, isMain = false }: RetryProps) {
  const client = useQueryClient();
  const [isRunning, setRunning] = useState(false);
  const retry = async () => {
    setRunning(true);
    try {
      await causeway.deliveries.retry(webhookId, messageId);
      toast("The delivery is queued again.", "live");
    } catch (error) {
      toast(`Not retried: ${reasonOf(error)}.`, "failed");
    }
    setRunning(false);
    for (const resource of ["deliveries", "delivery", "messages"]) {
      await client.invalidateQueries({ queryKey: [resource] });
    }
  };
  return (
    <button type="button" class="button" onClick={retry} disabled={isRunning} {...(isMain && { "data-retry": "" })}>
      {isRunning ? "Retrying" : "Retry"}
    </button>
  );
}
