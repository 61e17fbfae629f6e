import { ErrorNotice } from "../../../components/error-notice.tsx";
import { Field } from "../../../components/field.tsx";
import { Time } from "../../../components/time.tsx";
import { RequestView } from "../messages/request-view.tsx";
import { topicsOf } from "./draft.ts";
import type { OwnSample, WebhookForm } from "./use-form.ts";

/** The request that the last message on the topics becomes, as the form is now. */
export function LivePreview({ form }: { form: WebhookForm }) {
  const { draft, preview, sample, own, setOwn, isLookingForSample } = form;
  const [result] = preview.results ?? [];
  const hasTopics = topicsOf(draft).length > 0;
  return (
    <aside class="section panel live-preview" aria-label={draft.type === "pull" ? "Event preview" : "Request preview"}>
      <div class="section-head">
        <h2>{draft.type === "pull" ? "Event" : "Request"}</h2>
        {hasTopics && (
          <button type="button" class="button plain" onClick={() => setOwn(own ? undefined : exampleOf(form))}>
            {own ? "Use a real message" : "Edit the message"}
          </button>
        )}
      </div>
      {own ? (
        <OwnMessage own={own} onChange={setOwn} />
      ) : (
        sample && (
          <p class="small quiet">
            For the message on <code>{sample.topic}</code>, received <Time at={sample.at} />.
          </p>
        )
      )}
      <PreviewHint form={form} isLooking={hasTopics && isLookingForSample} />
      {form.sampleError && hasTopics && !own && (
        <ErrorNotice error={form.sampleError} title="The messages could not be read" />
      )}
      {preview.failure && <ErrorNotice error={preview.failure} title="The form could not be checked" />}
      {result && (
        <div class={preview.isChecking ? "is-checking" : undefined} aria-live="polite">
          <RequestView result={result} />
        </div>
      )}
    </aside>
  );
}

function PreviewHint({ form, isLooking }: { form: WebhookForm; isLooking: boolean }) {
  const { draft, own, sample, setOwn, hasUrl, sampleError } = form;
  if (topicsOf(draft).length === 0) return <p class="quiet">Name a topic filter to see what becomes of a message.</p>;
  if (!hasUrl) return <p class="quiet">Type a URL to see the request.</p>;
  if (own || sample) return null;
  if (isLooking) return <p class="quiet">Looking for a message on these topics.</p>;
  return (
    <div class="empty">
      {sampleError ? "Which messages there are is unknown." : "No message on these topics yet."}
      <button type="button" class="button" onClick={() => setOwn(exampleOf(form))}>
        Use an example message
      </button>
    </div>
  );
}

function OwnMessage({ own, onChange }: { own: OwnSample; onChange: (own: OwnSample) => void }) {
  return (
    <>
      <Field label="Topic of the message">
        {(props) => (
          <input
            {...props}
            class="mono"
            spellcheck={false}
            value={own.topic}
            onInput={({ currentTarget }) => onChange({ ...own, topic: currentTarget.value })}
          />
        )}
      </Field>
      <Field label="Payload">
        {(props) => (
          <textarea
            {...props}
            rows={3}
            spellcheck={false}
            value={own.payload}
            onInput={({ currentTarget }) => onChange({ ...own, payload: currentTarget.value })}
          />
        )}
      </Field>
    </>
  );
}

/** The real message to start with, or an example under the first filter. */
function exampleOf({ sample, draft }: WebhookForm): OwnSample {
  const { topic, payload } = sample?.message ?? {};
  if (topic !== undefined && typeof payload === "string") return { topic, payload };
  const [filter = ""] = topicsOf(draft);
  return { topic: filter.trim().replace(/[+#]/g, "example"), payload: '{"temperature": 21.5}' };
}
