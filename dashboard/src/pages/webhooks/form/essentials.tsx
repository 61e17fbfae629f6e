import { Field } from "../../../components/field.tsx";
import { topicsOf } from "./draft.ts";
import { matches } from "./topic-filter.ts";
import type { WebhookForm } from "./use-form.ts";

const MAX_COUNTED = 8;

/** The fields without which there is no webhook: topics and URL, and its name. */
export function Essentials({ form }: { form: WebhookForm }) {
  const { draft, set, errorOf } = form;
  return (
    <section class="section panel" aria-label={draft.type === "pull" ? "Topics" : "Topics and URL"}>
      <Field label="Topic filters" hint={<MatchCounts form={form} />} error={errorOf("topics")}>
        {(props) => (
          <textarea
            {...props}
            rows={Math.min(8, Math.max(2, draft.topics.split("\n").length))}
            spellcheck={false}
            placeholder="devices/+/telemetry"
            value={draft.topics}
            onInput={({ currentTarget }) => set({ topics: currentTarget.value })}
          />
        )}
      </Field>
      {draft.type === "push" && (
        <Field label="URL" hint={<UrlVerdict form={form} />} error={errorOf("url")}>
          {(props) => (
            <input
              {...props}
              class="mono"
              inputMode="url"
              autocomplete="off"
              spellcheck={false}
              placeholder="https://example.com/hooks"
              value={draft.url}
              onInput={({ currentTarget }) => set({ url: currentTarget.value })}
            />
          )}
        </Field>
      )}
      <Field
        label="Name"
        hint={`A label for people. Without one, the ${draft.type === "pull" ? "id" : "host of the URL"} is shown.`}
        error={errorOf("name")}
      >
        {(props) => (
          <input
            {...props}
            autocomplete="off"
            maxLength={200}
            value={draft.name}
            onInput={({ currentTarget }) => set({ name: currentTarget.value })}
          />
        )}
      </Field>
    </section>
  );
}

/** How many of the last messages each filter matches. */
function MatchCounts({ form: { draft, pool } }: { form: WebhookForm }) {
  const filters = topicsOf(draft);
  if (filters.length === 0 || pool.length === 0) {
    return <>One a line. + stands for one level, # at the end for all remaining levels.</>;
  }
  return (
    <ul aria-label="Matches">
      {filters.slice(0, MAX_COUNTED).map((filter) => (
        <li key={filter}>
          <code class="small">{filter}</code> matches {pool.filter(({ topic }) => matches(filter, topic)).length} of the
          last {pool.length} messages
        </li>
      ))}
    </ul>
  );
}

/** Verdict of the URL guard of the bridge. Its refusal is the error of the field. */
function UrlVerdict({ form: { hasUrl, preview } }: { form: WebhookForm }) {
  if (hasUrl && preview.isAccepted) return <>The bridge may call this URL.</>;
  if (hasUrl && preview.isChecking) return <>Checking</>;
  return (
    <>
      {"{topic}"} in its path stands for the topic, {"{topic[1]}"} for its second level.
    </>
  );
}
