import { useState } from "preact/hooks";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { Field } from "../../components/field.tsx";
import { type CallDraft, METHODS, type Method } from "./hook-form.ts";
import type { PreviewState } from "./use-preview.ts";

const EXAMPLE: CallDraft = { method: "POST", query: "id=7", headers: "", body: '{"state": "on"}' };

export function useTrial() {
  const [call, setCall] = useState(EXAMPLE);
  return { call, setCall };
}

interface TrialProps extends ReturnType<typeof useTrial> {
  preview: PreviewState;
  hasTopic: boolean;
}

/** A call of the person's own, and the message that it becomes. Nothing is published. */
export function Trial({ call, setCall, preview, hasTopic }: TrialProps) {
  const change = (part: Partial<CallDraft>) => setCall((now) => ({ ...now, ...part }));
  return (
    <section class="section panel" aria-labelledby="trial-title">
      <h3 id="trial-title">Try it</h3>
      <div class="grid-2">
        <Field label="Method">
          {(props) => (
            <select
              {...props}
              value={call.method}
              onChange={({ currentTarget }) => change({ method: currentTarget.value as Method })}
            >
              {METHODS.map((method) => (
                <option key={method}>{method}</option>
              ))}
            </select>
          )}
        </Field>
        <Field label="Query">
          {(props) => (
            <input
              {...props}
              class="mono"
              spellcheck={false}
              placeholder="id=7&state=on"
              value={call.query}
              onInput={({ currentTarget }) => change({ query: currentTarget.value })}
            />
          )}
        </Field>
      </div>
      {(["headers", "body"] as const).map((field) => (
        <Field key={field} label={field === "headers" ? "Headers, one a line" : "Body"}>
          {(props) => (
            <textarea
              {...props}
              rows={2}
              spellcheck={false}
              placeholder={field === "headers" ? "X-GitHub-Event: push" : undefined}
              value={call[field]}
              onInput={({ currentTarget }) => change({ [field]: currentTarget.value })}
            />
          )}
        </Field>
      ))}
      <Result preview={preview} hasTopic={hasTopic} />
    </section>
  );
}

function Result({ preview: { message, failure, isChecking }, hasTopic }: Pick<TrialProps, "preview" | "hasTopic">) {
  if (!hasTopic) return <p class="quiet">Type a topic to see the message of this call.</p>;
  if (failure) return <ErrorNotice error={failure} title="This call publishes nothing" />;
  if (!message) return <p class="quiet">{isChecking ? "Checking" : "Mend the fields to see the message."}</p>;
  const { topic, payload, payloadBase64, contentType } = message;
  return (
    <div class={isChecking ? "section request is-checking" : "section request"} aria-live="polite">
      <p>
        Publishes on <code class="topic-shown">{topic}</code>
        {contentType && <span class="quiet"> as {contentType}</span>}
      </p>
      <pre>{payloadBase64 ?? (payload === "" ? "(no payload)" : payload)}</pre>
    </div>
  );
}
