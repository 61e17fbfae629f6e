import { type Hook, isCausewayError } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { Field } from "../../components/field.tsx";
import { useRights } from "../../data/session.tsx";
import { fieldErrors } from "./field-errors.ts";
import { callOf, type HookDraft, METHODS, type PartProps, previewInputOf } from "./hook-form.ts";
import { Trial, useTrial } from "./trial.tsx";
import { usePreview } from "./use-preview.ts";
import { VerifyFields } from "./verify-fields.tsx";

export interface HookFormProps {
  initial: HookDraft;
  /** The hook that is changed; absent: a new one. */
  hook?: Hook;
  action: string;
  isUnchanged?: (draft: HookDraft) => boolean;
  onSave: (draft: HookDraft) => Promise<void>;
}

export function HookForm({ initial, hook, action, isUnchanged, onSave }: HookFormProps) {
  const { can } = useRights();
  const [draft, setDraft] = useState(initial);
  const [refused, setRefused] = useState<Record<string, string>>({});
  const [error, setError] = useState<Error>();
  const [isRunning, setRunning] = useState(false);
  const trial = useTrial();
  const isTyped = draft.topic.trim() !== "" && can("publish");
  const preview = usePreview(isTyped ? previewInputOf(draft) : undefined, callOf(trial.call));
  const errors = { ...preview.errors, ...refused };
  const submit = async (event: Event) => {
    event.preventDefault();
    setRunning(true);
    setError(undefined);
    try {
      await onSave(draft);
    } catch (failure) {
      if (isCausewayError(failure)) setRefused(fieldErrors(failure.errors));
      setError(failure as Error);
      setRunning(false);
    }
  };
  const parts = {
    draft,
    errors,
    onChange: (part: Partial<HookDraft>) => {
      setRefused({});
      setDraft((now) => ({ ...now, ...part }));
    },
  };
  return (
    <form class="section hook-form" onSubmit={submit} noValidate>
      <MessageFields {...parts} />
      <VerifyFields {...parts} hook={hook} />
      <CallFields {...parts} />
      {can("publish") && <Trial {...trial} preview={preview} hasTopic={isTyped} />}
      {error && <ErrorNotice error={error} title={hook ? "Nothing was changed" : "The hook was not created"} />}
      <div>
        <button type="submit" class="button primary" disabled={isRunning || isUnchanged?.(draft)}>
          {isRunning ? "Saving" : action}
        </button>
      </div>
    </form>
  );
}

function MessageFields({ draft, errors, onChange }: PartProps) {
  return (
    <>
      <Field label="Name" error={errors.name} hint="The service that calls.">
        {(props) => (
          <input
            {...props}
            value={draft.name}
            autocomplete="off"
            onInput={({ currentTarget }) => onChange({ name: currentTarget.value })}
          />
        )}
      </Field>
      <Field
        label="Topic"
        error={errors.topic}
        hint={
          <>
            JSONata in braces gives one level: <code>{"lamps/{query.id}/set"}</code>. It sees method, query, headers,
            body and params.
          </>
        }
      >
        {(props) => (
          <input
            {...props}
            class="mono"
            spellcheck={false}
            autocomplete="off"
            value={draft.topic}
            onInput={({ currentTarget }) => onChange({ topic: currentTarget.value })}
          />
        )}
      </Field>
      <Field
        label="Payload"
        error={errors.payload}
        hint="One JSONata expression. Empty: the body of the call as it is."
      >
        {(props) => (
          <textarea
            {...props}
            rows={2}
            spellcheck={false}
            value={draft.payload}
            onInput={({ currentTarget }) => onChange({ payload: currentTarget.value })}
          />
        )}
      </Field>
    </>
  );
}

function CallFields({ draft, errors, onChange }: PartProps) {
  return (
    <details class="panel fold">
      <summary>
        <strong>Call and message</strong> <span class="quiet">methods, QoS, limits</span>
      </summary>
      <div class="section">
        <fieldset class="row">
          <legend>Methods</legend>
          {METHODS.map((method) => (
            <label key={method} class="row">
              <input
                type="checkbox"
                checked={draft.methods.includes(method)}
                onChange={({ currentTarget }) =>
                  onChange({
                    methods: METHODS.filter((one) =>
                      one === method ? currentTarget.checked : draft.methods.includes(one),
                    ),
                  })
                }
              />
              {method}
            </label>
          ))}
          {errors.methods && <div class="error">{errors.methods}</div>}
        </fieldset>
        <Field label="QoS">
          {(props) => (
            <select
              {...props}
              value={draft.qos}
              onChange={({ currentTarget }) => onChange({ qos: currentTarget.value as HookDraft["qos"] })}
            >
              <option value="0">0: at most once</option>
              <option value="1">1: at least once</option>
              <option value="2">2: exactly once</option>
            </select>
          )}
        </Field>
        <label class="row">
          <input
            type="checkbox"
            checked={draft.retain}
            onChange={({ currentTarget }) => onChange({ retain: currentTarget.checked })}
          />
          The broker keeps the last message
        </label>
        <label class="row">
          <input
            type="checkbox"
            checked={draft.durable}
            onChange={({ currentTarget }) => onChange({ durable: currentTarget.checked })}
          />
          Store the message before the response, and publish it when the broker is there
        </label>
        <Limits draft={draft} errors={errors} onChange={onChange} />
      </div>
    </details>
  );
}

function Limits({ draft, errors, onChange }: PartProps) {
  return (
    <div class="grid-2">
      <Field label="At most (calls)" error={errors.rateLimit ?? errors["rateLimit.max"]} hint="Empty: no limit.">
        {(props) => (
          <input
            {...props}
            inputMode="numeric"
            value={draft.rateMax}
            onInput={({ currentTarget }) => onChange({ rateMax: currentTarget.value.trim() })}
          />
        )}
      </Field>
      <Field label="In (seconds)" error={errors["rateLimit.perSeconds"]}>
        {(props) => (
          <input
            {...props}
            inputMode="numeric"
            value={draft.ratePerSeconds}
            onInput={({ currentTarget }) => onChange({ ratePerSeconds: currentTarget.value.trim() })}
          />
        )}
      </Field>
    </div>
  );
}
