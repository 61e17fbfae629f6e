import { useQueryClient } from "@tanstack/preact-query";
import type { Replay } from "causeway-mqtt/client";
import { useEffect, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { ErrorNotice } from "../../../components/error-notice.tsx";
import { pathTo } from "../../../data/address.ts";
import { causeway } from "../../../data/causeway.ts";
import { countOf, formatCount } from "../../../data/format.ts";
import { useData } from "../../../data/query.ts";
import { useRights } from "../../../data/session.tsx";

const EVERY_MS = 1_000;

/** The replay that the address names, so that it survives a reload. */
export function ReplayProgress({ webhookId }: { webhookId: string }) {
  const { query, route } = useLocation();
  const client = useQueryClient();
  const id = query.replay ?? "";
  const [isOver, setOver] = useState(false);
  useEffect(() => setOver(false), [id]);
  const replay = useData(["replay", webhookId, id], (options) => causeway.webhooks.getReplay(webhookId, id, options), {
    enabled: id !== "",
    ...(!isOver && { everyMs: EVERY_MS }),
  });
  const state = replay.data?.state;
  useEffect(() => {
    if (state === undefined || state === "running") return;
    setOver(true);
    void client.invalidateQueries({ queryKey: ["webhook", webhookId] });
    void client.invalidateQueries({ queryKey: ["deliveries"] });
  }, [state]);
  if (id === "") return null;
  const dismiss = () => route(pathTo(`webhooks/${webhookId}`, { ...query, replay: undefined }), true);
  if (!replay.data) {
    return replay.error ? <ErrorNotice error={replay.error} title="The replay could not be read" /> : null;
  }
  return (
    <section class={`notice ${state === "running" ? "live" : "delivered"}`} aria-label="Replay">
      <strong aria-live="polite">{progressInWords(replay.data)}</strong>
      {state === "running" && (
        <progress aria-label="Deliveries queued again" max={Math.max(1, replay.data.count)} value={replay.data.done} />
      )}
      <div class="row">
        {state === "running" ? (
          <CancelButton webhookId={webhookId} replayId={id} onCancelled={replay.refetch} />
        ) : (
          <button type="button" class="button" onClick={dismiss}>
            Dismiss
          </button>
        )}
      </div>
    </section>
  );
}

function CancelButton({
  webhookId,
  replayId,
  onCancelled,
}: {
  webhookId: string;
  replayId: string;
  onCancelled: () => void;
}) {
  const { can } = useRights();
  const [error, setError] = useState<Error>();
  if (!can("webhooks")) return null;
  const cancel = () =>
    causeway.webhooks.cancelReplay(webhookId, replayId).then(onCancelled, (failure: Error) => {
      setError(failure);
      onCancelled();
    });
  return (
    <>
      <button type="button" class="button" onClick={cancel}>
        Cancel the replay
      </button>
      {error && <ErrorNotice error={error} title="The replay was not cancelled" />}
    </>
  );
}

function progressInWords({ state, count, done }: Replay): string {
  const all = countOf(count, "delivery", "deliveries");
  if (state === "running") return `Queued ${formatCount(done)} of ${all} again.`;
  if (state === "cancelled") return `Cancelled after ${formatCount(done)} of ${all}. Those are delivered.`;
  return `Queued ${all} again.`;
}
