import type { ReplayInput } from "causeway-mqtt/client";
import { useEffect, useRef, useState } from "preact/hooks";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { causeway } from "../../data/causeway.ts";
import { countOf, formatCount } from "../../data/format.ts";
import type { Filters } from "./filters.ts";
import { MAX_SINGLE, matching, retryEach } from "./retries.ts";

type Found = Awaited<ReturnType<typeof matching>>;
type Outcome = Awaited<ReturnType<typeof retryEach>>;

/** Retries delivery after delivery, for a topic filter, which a replay does not know. */
export function RetryEach({ filters: { webhookId, topic }, range }: { filters: Filters; range: ReplayInput }) {
  const [found, setFound] = useState<Found>();
  const [error, setError] = useState<Error>();
  const [done, setDone] = useState<number>();
  const [outcome, setOutcome] = useState<Outcome>();
  const abort = useRef(new AbortController());
  useEffect(() => {
    const { signal } = abort.current;
    const query = { ...range, topic, ...(webhookId && { webhookId }) };
    matching(causeway, query, signal).then(setFound, (failure) => {
      if (!signal.aborted) setError(failure);
    });
    return () => abort.current.abort();
  }, [range, topic, webhookId]);
  if (error) return <ErrorNotice error={error} title="The deliveries were not found" />;
  if (!found) return <p role="status">Counting.</p>;
  const total = found.found.length;
  if (total === 0) return <p role="status">There is nothing to retry.</p>;
  const start = async () => {
    setDone(0);
    setOutcome(await retryEach(causeway, found.found, setDone, abort.current.signal));
  };
  return (
    <div class="section">
      <p>
        A replay does not know topic filters. So this page retries the deliveries on <code>{topic}</code> one by one, as
        long as it is open{found.isMore ? `: the newest ${formatCount(MAX_SINGLE)} first` : ""}.
      </p>
      {done !== undefined && <progress value={done} max={total} aria-label="Progress" />}
      {outcome ? (
        <Result outcome={outcome} total={total} />
      ) : (
        done !== undefined && (
          <p role="status">
            {formatCount(done)} of {formatCount(total)}
          </p>
        )
      )}
      <div class="row">
        {done === undefined && (
          <button type="button" class="button primary" onClick={start}>
            Retry {countOf(total, "delivery", "deliveries")}
          </button>
        )}
        {done !== undefined && !outcome && (
          <button type="button" class="button" onClick={() => abort.current.abort()}>
            Cancel
          </button>
        )}
      </div>
    </div>
  );
}

function Result({ outcome: { retried, reasons }, total }: { outcome: Outcome; total: number }) {
  return (
    <div role="status">
      <p>
        {countOf(retried, "delivery", "deliveries")} of {formatCount(total)} queued again.
      </p>
      {[...reasons].map(([reason, count]) => (
        <p class="state failed" key={reason}>
          {formatCount(count)} not retried: {reason}
        </p>
      ))}
    </div>
  );
}
