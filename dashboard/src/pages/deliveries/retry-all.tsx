import { useQueryClient } from "@tanstack/preact-query";
import type { ReplayInput } from "causeway-mqtt/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { Dialog } from "../../components/dialog.tsx";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { causeway } from "../../data/causeway.ts";
import { countOf, formatCount } from "../../data/format.ts";
import type { Webhooks } from "../../data/webhook-names.ts";
import { type Filters, rangeInWords, timesOf } from "./filters.ts";
import { cancelReplays, countParts, type Part, readProgress, startReplays } from "./retries.ts";
import { RetryEach } from "./retry-each.tsx";

const PROGRESS_MS = 1_000;

interface RetryAllProps {
  filters: Filters & { status: ReplayInput["status"] };
  webhooks: Webhooks;
  onClose: () => void;
}

/** Retries every delivery that the filters match. */
export function RetryAll({ filters, webhooks, onClose }: RetryAllProps) {
  const client = useQueryClient();
  const isSingle = filters.topic !== "";
  const title = filters.status === "failed" ? "Retry all dead letters" : "Deliver again what succeeded";
  const close = () => {
    void client.invalidateQueries({ queryKey: ["deliveries"] });
    onClose();
  };
  // The range ends now, so that a delivery that fails meanwhile is not in it.
  const [range] = useState<ReplayInput>(() => {
    const now = Date.now();
    return { status: filters.status, until: new Date(now).toISOString(), ...timesOf(filters, now) };
  });
  return (
    <Dialog title={title} onClose={close}>
      {isSingle ? (
        <RetryEach filters={filters} range={range} />
      ) : (
        <Replays filters={filters} range={range} webhooks={webhooks} />
      )}
    </Dialog>
  );
}

interface ReplaysProps extends Omit<RetryAllProps, "onClose"> {
  range: ReplayInput;
}

/** One replay for each webhook, which the bridge carries out. */
function Replays({ filters, range, webhooks }: ReplaysProps) {
  const [parts, setParts] = useState<Part[]>();
  const [error, setError] = useState<Error>();
  const [isStarting, setStarting] = useState(false);
  const ids = useRef(
    filters.webhookId === ""
      ? webhooks.all.filter(({ counts }) => counts[range.status] > 0).map(({ id }) => id)
      : [filters.webhookId],
  );
  useEffect(() => {
    const abort = new AbortController();
    countParts(causeway, ids.current, range, abort.signal).then(setParts, (failure) => {
      if (!abort.signal.aborted) setError(failure);
    });
    return () => abort.abort();
  }, [range]);
  const isRunning = parts?.some(({ state }) => state === "running") ?? false;
  useEffect(() => {
    if (!parts || !isRunning) return;
    const timer = setTimeout(() => void readProgress(causeway, parts).then(setParts), PROGRESS_MS);
    return () => clearTimeout(timer);
  }, [parts, isRunning]);

  if (error) return <ErrorNotice error={error} title="The deliveries were not counted" />;
  if (!parts) return <p role="status">Counting.</p>;
  if (parts.length === 0) return <p role="status">There is nothing to retry {rangeInWords(filters)}.</p>;
  const total = parts.reduce((sum, { count }) => sum + count, 0);
  const start = async () => {
    setStarting(true);
    setParts(await startReplays(causeway, parts, range));
  };
  const cancel = () =>
    cancelReplays(causeway, parts)
      .then(() => readProgress(causeway, parts))
      .then(setParts, setError);
  return (
    <div class="section">
      <p role="status">{summaryOf(parts, total, isStarting)}</p>
      <ul class="parts">
        {parts.map((part) => (
          <PartRow key={part.webhookId} part={part} name={webhooks.name(part.webhookId)} />
        ))}
      </ul>
      {webhooks.isCut && filters.webhookId === "" && (
        <p class="quiet small">
          Only the first {formatCount(webhooks.all.length)} webhooks are counted. Choose a webhook for another one.
        </p>
      )}
      {isRunning && <p class="quiet small">The bridge goes on with this when the page is closed.</p>}
      <div class="row">
        {!isStarting && (
          <button type="button" class="button primary" onClick={start}>
            Retry {countOf(total, "delivery", "deliveries")}
          </button>
        )}
        {isRunning && (
          <button type="button" class="button" onClick={cancel}>
            Cancel
          </button>
        )}
      </div>
    </div>
  );
}

function PartRow({ part: { count, done, state, reason }, name }: { part: Part; name: string }) {
  const words = {
    ready: countOf(count, "delivery", "deliveries"),
    running: `${formatCount(done)} of ${formatCount(count)} queued again`,
    finished: `${formatCount(count)} queued again`,
    cancelled: `cancelled after ${formatCount(done)} of ${formatCount(count)}`,
    failed: `not started: ${reason}`,
  };
  return (
    <li>
      <div>
        <strong>{name}</strong> <span class={state === "failed" ? "state failed" : "quiet"}>{words[state]}</span>
      </div>
      {state === "running" && <progress value={done} max={count} aria-label={`Retry of ${name}`} />}
    </li>
  );
}

function summaryOf(parts: readonly Part[], total: number, isStarted: boolean): string {
  const where = countOf(parts.length, "webhook");
  if (!isStarted) return `${countOf(total, "delivery", "deliveries")} to ${where} will be queued again, oldest first.`;
  const running = parts.filter(({ state }) => state === "running").length;
  if (running > 0) return `Queuing again for ${countOf(running, "webhook")}.`;
  const done = parts.reduce((sum, { state, done }) => sum + (state === "failed" ? 0 : done), 0);
  return `${countOf(done, "delivery", "deliveries")} queued again.`;
}
