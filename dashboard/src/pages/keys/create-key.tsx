import { type CreatedKey, isCausewayError } from "causeway-mqtt/client";
import { useState } from "preact/hooks";
import { ErrorNotice } from "../../components/error-notice.tsx";
import { Field } from "../../components/field.tsx";
import { causeway } from "../../data/causeway.ts";
import { now } from "../../data/clock.ts";
import {
  type Expiry,
  type KeyErrors,
  type KeyFields,
  keyErrors,
  NEW_KEY,
  SCOPES,
  type Scope,
  toKey,
  uses,
} from "./key-form.ts";

interface PartProps {
  fields: KeyFields;
  errors: KeyErrors;
  onChange: (part: Partial<KeyFields>) => void;
}

export function CreateKey({ onCreated }: { onCreated: (key: CreatedKey) => void }) {
  const [fields, setFields] = useState<KeyFields>(NEW_KEY);
  const [touched, setTouched] = useState<ReadonlySet<string>>(new Set());
  const [error, setError] = useState<Error>();
  const [isRunning, setRunning] = useState(false);
  const all = keyErrors(fields, now.value);
  // A field that nothing was typed into is incomplete, not wrong.
  const errors = Object.fromEntries(Object.entries(all).filter(([name]) => touched.has(name))) as KeyErrors;
  const change = (part: Partial<KeyFields>) => {
    setFields((old) => ({ ...old, ...part }));
    setTouched((old) => new Set([...old, ...Object.keys(part)]));
  };
  const submit = async (event: Event) => {
    event.preventDefault();
    if (Object.keys(all).length > 0) {
      setTouched(new Set(Object.keys(all)));
      return;
    }
    setRunning(true);
    setError(undefined);
    try {
      onCreated(await causeway.keys.create(toKey(fields, Date.now())));
    } catch (failure) {
      setError(failure as Error);
      setRunning(false);
    }
  };
  const parts = { fields, errors, onChange: change };
  return (
    <form class="section" onSubmit={submit} noValidate>
      <Field label="Name" error={errors.name} hint="The program or the person that uses the key.">
        {(props) => (
          <input
            {...props}
            value={fields.name}
            autocomplete="off"
            onInput={({ currentTarget }) => change({ name: currentTarget.value })}
          />
        )}
      </Field>
      <ScopeFields {...parts} />
      {uses(fields, "publish") && <FilterField {...parts} name="publish" label="May publish to" />}
      {uses(fields, "read") && <FilterField {...parts} name="read" label="May read" />}
      <LimitFields {...parts} />
      <ExpiryFields {...parts} />
      {error && (
        <ErrorNotice
          error={error}
          title={isCausewayError(error) ? "The key was not created" : "The key may not have been created"}
        />
      )}
      <div>
        <button type="submit" class="button primary" disabled={isRunning}>
          {isRunning ? "Creating" : "Create the key"}
        </button>
      </div>
    </form>
  );
}

function ScopeFields({ fields, errors, onChange }: PartProps) {
  const toggle = (scope: Scope, isOn: boolean) => {
    onChange({ scopes: isOn ? [...fields.scopes, scope] : fields.scopes.filter((one) => one !== scope) });
  };
  return (
    <fieldset class="scopes">
      <legend>Scopes</legend>
      {SCOPES.map(([scope, words]) => (
        <label key={scope}>
          <input
            type="checkbox"
            checked={fields.scopes.includes(scope)}
            onChange={({ currentTarget }) => toggle(scope, currentTarget.checked)}
          />
          <span>
            <strong>{scope}</strong> <span class="quiet">{words}</span>
          </span>
        </label>
      ))}
      {errors.scopes && (
        <div class="field">
          <div class="error" role="alert">
            {errors.scopes}
          </div>
        </div>
      )}
    </fieldset>
  );
}

function FilterField({
  fields,
  errors,
  onChange,
  name,
  label,
}: PartProps & { name: "publish" | "read"; label: string }) {
  return (
    <Field
      label={label}
      error={errors[name]}
      hint={
        <>
          Topic filters, one a line, such as <code>devices/+/telemetry</code>. <code>{"{keyName}"}</code> stands for the
          name of the key.
        </>
      }
    >
      {(props) => (
        <textarea
          {...props}
          rows={3}
          spellcheck={false}
          value={fields[name]}
          onInput={({ currentTarget }) => onChange({ [name]: currentTarget.value })}
        />
      )}
    </Field>
  );
}

function LimitFields({ fields, errors, onChange }: PartProps) {
  return (
    <div class="grid-2 pair">
      <Field label="At most (requests)" error={errors.max} hint="Empty: no limit. It applies per instance.">
        {(props) => (
          <input
            {...props}
            inputMode="numeric"
            value={fields.max}
            onInput={({ currentTarget }) => onChange({ max: currentTarget.value.trim() })}
          />
        )}
      </Field>
      {fields.max !== "" && (
        <Field label="In (seconds)" error={errors.perSeconds}>
          {(props) => (
            <input
              {...props}
              inputMode="numeric"
              value={fields.perSeconds}
              onInput={({ currentTarget }) => onChange({ perSeconds: currentTarget.value.trim() })}
            />
          )}
        </Field>
      )}
    </div>
  );
}

const EXPIRY_WORDS: Record<Expiry, string> = {
  never: "Never",
  week: "In 7 days",
  month: "In 30 days",
  year: "In 365 days",
  at: "At a time",
};

function ExpiryFields({ fields, errors, onChange }: PartProps) {
  return (
    <div class="grid-2 pair">
      <Field label="Expires">
        {(props) => (
          <select
            {...props}
            value={fields.expiry}
            onChange={({ currentTarget }) => onChange({ expiry: currentTarget.value as Expiry })}
          >
            {Object.entries(EXPIRY_WORDS).map(([value, word]) => (
              <option key={value} value={value}>
                {word}
              </option>
            ))}
          </select>
        )}
      </Field>
      {fields.expiry === "at" && (
        <Field label="Expires at (your time)" error={errors.expiresAt}>
          {(props) => (
            <input
              {...props}
              type="datetime-local"
              value={fields.expiresAt}
              onInput={({ currentTarget }) => onChange({ expiresAt: currentTarget.value })}
            />
          )}
        </Field>
      )}
    </div>
  );
}
