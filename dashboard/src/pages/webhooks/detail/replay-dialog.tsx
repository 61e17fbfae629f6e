import type { ReplayInput, Webhook } from "causeway-mqtt/client";
import { useEffect, useMemo, useState } from "preact/hooks";
import { useLocation } from "preact-iso";
import { Choices } from "../../../components/choices.tsx";
import { Dialog } from "../../../components/dialog.tsx";
import { ErrorNotice } from "../../../components/error-notice.tsx";
import { Field } from "../../../components/field.tsx";
import { pathTo } from "../../../data/address.ts";
import { causeway } from "../../../data/causeway.ts";
import { countOf } from "../../../data/format.ts";
import { type ReplayChoice, rangeOf, SPANS } from "./replay-range.ts";

const DEBOUNCE_MS = 300;
const STATUSES = [
  ["failed", "Failed"],
  ["succeeded", "Succeeded"],
] as const;

/** Delivers many again: says how many before, and then hands over to the progress on the page. */
export function ReplayDialog({ webhook: { id }, onClose }: { webhook: Webhook; onClose: () => void }) {
  const { query, route } = useLocation();
  const [choice, setChoice] = useState<ReplayChoice>({ status: "failed", span: "all", since: "", until: "" });
  const [isRunning, setRunning] = useState(false);
  const [error, setError] = useState<Error>();
  const openedAt = useMemo(() => Date.now(), []);
  const range = rangeOf(choice, openedAt);
  const { count, failure } = useCount(id, range);
  const change = (part: Partial<ReplayChoice>) => setChoice((now) => ({ ...now, ...part }));
  const start = async (event: Event) => {
    event.preventDefault();
    if (!range) return;
    setRunning(true);
    setError(undefined);
    try {
      const replay = await causeway.webhooks.replay(id, range);
      onClose();
      route(pathTo(`webhooks/${id}`, { ...query, replay: replay.id }), true);
    } catch (refusal) {
      setError(refusal as Error);
      setRunning(false);
    }
  };
  return (
    <Dialog title="Retry deliveries" onClose={onClose}>
      <form class="section" onSubmit={start}>
        <p>Delivers them again with the same message ids, oldest first and in the background.</p>
        <div>
          <Choices label="Status" value={choice.status} options={STATUSES} onChange={(status) => change({ status })} />
        </div>
        <RangeFields choice={choice} onChange={change} />
        {(error ?? failure) && <ErrorNotice error={(error ?? failure)!} title="Nothing is retried" />}
        <div class="row">
          <button type="submit" class="button primary" disabled={isRunning || !count}>
            {count === undefined
              ? "Counting"
              : count === 0
                ? "Nothing to retry"
                : `Retry ${countOf(count, "delivery", "deliveries")}`}
          </button>
          <button type="button" class="button" onClick={onClose}>
            Cancel
          </button>
        </div>
      </form>
    </Dialog>
  );
}

function RangeFields({ choice, onChange }: { choice: ReplayChoice; onChange: (part: Partial<ReplayChoice>) => void }) {
  return (
    <>
      <Field label="Messages">
        {(props) => (
          <select
            {...props}
            value={choice.span}
            onChange={({ currentTarget }) => onChange({ span: currentTarget.value as ReplayChoice["span"] })}
          >
            {SPANS.map(([value, word]) => (
              <option value={value} key={value}>
                {word}
              </option>
            ))}
          </select>
        )}
      </Field>
      {choice.span === "custom" && (
        <div class="row">
          {(["since", "until"] as const).map((field) => (
            <Field label={field === "since" ? "From" : "Until"} key={field}>
              {(props) => (
                <input
                  {...props}
                  type="datetime-local"
                  value={choice[field]}
                  onInput={({ currentTarget }) => onChange({ [field]: currentTarget.value })}
                />
              )}
            </Field>
          ))}
        </div>
      )}
    </>
  );
}

/** How many deliveries a replay would begin with; `count` is undefined until it is known. */
function useCount(id: string, range: ReplayInput | undefined): { count?: number; failure?: Error } {
  const key = range && JSON.stringify(range);
  const [counted, setCounted] = useState<{ key?: string; count?: number; failure?: Error }>({});
  useEffect(() => {
    if (key === undefined) return;
    const left = new AbortController();
    const timer = setTimeout(() => {
      causeway.webhooks.countReplay(id, JSON.parse(key) as ReplayInput, { signal: left.signal }).then(
        (count) => setCounted({ key, count }),
        (failure: Error) => !left.signal.aborted && setCounted({ key, failure }),
      );
    }, DEBOUNCE_MS);
    return () => {
      clearTimeout(timer);
      left.abort();
    };
  }, [id, key]);
  return counted.key === key && key !== undefined ? counted : {};
}
