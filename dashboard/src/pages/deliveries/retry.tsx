import { useQueryClient } from "@tanstack/preact-query";
import { isCausewayError } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { toast } from "../../components/toasts.tsx";
import { causeway } from "../../data/causeway.ts";

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
      const why = isCausewayError(error) ? error.detail : "the bridge cannot be reached";
      toast(`Not retried: ${why}.`, "failed");
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
