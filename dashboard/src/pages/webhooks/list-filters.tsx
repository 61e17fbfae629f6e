import { useEffect, useRef, useState } from "preact/hooks";
import { Field } from "../../components/field.tsx";
import { type ListQuery, STATES } from "./list-query.ts";

/** Text reaches the address, and with it the API, when the person pauses. */
const PAUSE_MS = 250;

const WORDS: Record<(typeof STATES)[number], string> = {
  active: "Active",
  failing: "Failing",
  paused: "Paused",
  disabled: "Disabled",
};

interface FiltersProps {
  query: ListQuery;
  /** Why the API refuses the topic. */
  topicError: string | undefined;
  onChange: (changes: Partial<ListQuery>) => void;
}

export function ListFilters({ query, topicError, onChange }: FiltersProps) {
  const name = useDelayed(query.name, (text) => onChange({ name: text }));
  const topic = useDelayed(query.topic, (text) => onChange({ topic: text }));
  return (
    <search class="webhook-filters">
      <Field label="Name">
        {(props) => (
          <input {...props} {...name} type="search" maxLength={200} data-search placeholder="Part of the name" />
        )}
      </Field>
      <Field label="State">
        {(props) => (
          <select
            {...props}
            value={query.state ?? ""}
            onChange={({ currentTarget }) => onChange({ state: STATES.find((state) => state === currentTarget.value) })}
          >
            <option value="">Any</option>
            {STATES.map((state) => (
              <option value={state} key={state}>
                {WORDS[state]}
              </option>
            ))}
          </select>
        )}
      </Field>
      <Field label="Would get a message on the topic" error={topicError}>
        {(props) => <input {...props} {...topic} type="search" class="mono" placeholder="devices/pi-7/telemetry" />}
      </Field>
    </search>
  );
}

/** The text while it is typed, and the value of the address when that changes otherwise. */
function useDelayed(value: string, onChange: (text: string) => void) {
  const [text, setText] = useState(value);
  const timer = useRef<ReturnType<typeof setTimeout>>();
  const latest = useRef(onChange);
  latest.current = onChange;
  useEffect(() => {
    if (timer.current === undefined) setText(value);
  }, [value]);
  useEffect(() => () => clearTimeout(timer.current), []);
  return {
    value: text,
    onInput: ({ currentTarget }: { currentTarget: HTMLInputElement }) => {
      setText(currentTarget.value);
      clearTimeout(timer.current);
      timer.current = setTimeout(() => {
        timer.current = undefined;
        latest.current(currentTarget.value.trim());
      }, PAUSE_MS);
    },
  };
}
