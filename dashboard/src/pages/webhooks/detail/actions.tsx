import { useQueryClient } from "@tanstack/preact-query";
import type { Webhook } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { Dialog } from "../../../components/dialog.tsx";
import { ErrorNotice } from "../../../components/error-notice.tsx";
import { toast } from "../../../components/toasts.tsx";
import { pathTo } from "../../../data/address.ts";
import { causeway } from "../../../data/causeway.ts";
import { ReplayDialog } from "./replay-dialog.tsx";
import { RotateDialog } from "./rotate-dialog.tsx";

/** The acts on a webhook that lose nothing. */
export function Actions({ webhook }: { webhook: Webhook }) {
  const client = useQueryClient();
  const [open, setOpen] = useState<"test" | "rotate" | "replay">();
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<Error>();
  const { id, enabled, disabled, type } = webhook;
  const isPulled = type === "pull";
  const isStopped = !enabled || disabled !== undefined;
  const close = () => setOpen(undefined);
  const toggle = async () => {
    setRunning(true);
    try {
      await (isStopped ? causeway.webhooks.resume(id) : causeway.webhooks.pause(id));
      toast(isStopped ? "Resumed." : "Paused. Messages keep collecting.", isStopped ? "delivered" : "paused");
    } catch (failure) {
      setError(failure as Error);
    }
    setRunning(false);
    void client.invalidateQueries({ queryKey: ["webhook", id] });
    void client.invalidateQueries({ queryKey: ["webhooks"] });
  };
  return (
    <>
      <a class="button" href={pathTo(`webhooks/${id}/edit`)}>
        Edit
      </a>
      <a class="button" href={pathTo("workbench", { webhook: id })}>
        Workbench
      </a>
      <button type="button" class="button" disabled={isRunning} onClick={toggle}>
        {isStopped ? "Resume" : "Pause"}
      </button>
      <button type="button" class="button" onClick={() => setOpen("test")}>
        Send a test event
      </button>
      <button type="button" class="button" data-retry onClick={() => setOpen("replay")}>
        Retry deliveries
      </button>
      {!isPulled && (
        <button type="button" class="button" onClick={() => setOpen("rotate")}>
          Rotate the secret
        </button>
      )}
      {open === "test" && <TestDialog webhook={webhook} onClose={close} />}
      {open === "rotate" && <RotateDialog webhook={webhook} onClose={close} />}
      {open === "replay" && <ReplayDialog webhook={webhook} onClose={close} />}
      {error && (
        <Dialog title={isStopped ? "Resume" : "Pause"} onClose={() => setError(undefined)}>
          <ErrorNotice error={error} title="Nothing was changed" />
        </Dialog>
      )}
    </>
  );
}

function TestDialog({ webhook, onClose }: { webhook: Webhook; onClose: () => void }) {
  const client = useQueryClient();
  const [messageId, setMessageId] = useState<string>();
  const [error, setError] = useState<Error>();
  const [isRunning, setRunning] = useState(false);
  const { id, filter, transform, state } = webhook;
  const send = async () => {
    setRunning(true);
    setError(undefined);
    try {
      setMessageId((await causeway.webhooks.test(id)).messageId);
      void client.invalidateQueries({ queryKey: ["webhook", id] });
      void client.invalidateQueries({ queryKey: ["deliveries"] });
    } catch (failure) {
      setError(failure as Error);
    }
    setRunning(false);
  };
  return (
    <Dialog title="Send a test event" onClose={onClose}>
      <p>
        The event takes its place in the queue of the webhook and is sent like every message, with a signature.
        {(filter || transform) &&
          " Filter and transform do not apply to it: a service that needs a certain body refuses it."}
        {state === "paused" || state === "disabled" ? " The webhook is stopped, so the event waits." : ""}
      </p>
      {error && <ErrorNotice error={error} title="No event was sent" />}
      {messageId && (
        <div class="notice delivered" role="status">
          <span>
            The event is queued.{" "}
            <a href={pathTo(`messages/${messageId}`)} onClick={onClose}>
              See its delivery
            </a>
          </span>
        </div>
      )}
      <div class="row">
        <button type="button" class="button primary" disabled={isRunning} onClick={send}>
          {messageId ? "Send another one" : "Send the event"}
        </button>
      </div>
    </Dialog>
  );
}
