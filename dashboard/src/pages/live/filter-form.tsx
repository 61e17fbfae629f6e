import { useState } from "preact/hooks";
import { Field } from "../../components/field.tsx";
import { filterError, formatFilters, parseFilters } from "./topic-filters.ts";

const MAX_FILTERS = 32;

interface FilterFormProps {
  filters: readonly string[];
  onSubmit: (filters: string[]) => void;
}

/** The topic filters of the page. */
export function FilterForm({ filters, onSubmit }: FilterFormProps) {
  const [text, setText] = useState(formatFilters(filters));
  const typed = parseFilters(text);
  const wrong = typed.map((filter) => [filter, filterError(filter)] as const).find(([, error]) => error);
  const tooMany = typed.length > MAX_FILTERS ? `at most ${MAX_FILTERS} filters` : undefined;
  const error = wrong ? `${wrong[0]} ${wrong[1]}` : tooMany;
  return (
    <form
      class="live-filters"
      onSubmit={(event) => {
        event.preventDefault();
        if (!error) onSubmit(typed);
      }}
    >
      <Field label="Topic filters" error={error}>
        {(props) => (
          <input
            {...props}
            class="mono"
            value={text}
            data-search
            autocomplete="off"
            spellcheck={false}
            placeholder="devices/+/telemetry, alarms/#"
            onInput={({ currentTarget }) => setText(currentTarget.value)}
          />
        )}
      </Field>
      <button type="submit" class="button" disabled={error !== undefined}>
        Show
      </button>
    </form>
  );
}
