/** Controls of the form, each with its field of the draft. */
import type { ComponentChildren } from "preact";
import { useRef } from "preact/hooks";
import { Field } from "../../../components/field.tsx";
import type { Draft } from "./draft.ts";
import type { WebhookForm } from "./use-form.ts";

type TextField = { [K in keyof Draft]: Draft[K] extends string ? K : never }[keyof Draft];

interface InputProps {
  form: WebhookForm;
  field: TextField;
  label: string;
  hint?: ComponentChildren;
  /** The field of the API, if it has another name. */
  path?: string;
}

interface TextProps extends InputProps {
  type?: "text" | "number" | "password";
  isMono?: boolean;
  placeholder?: string;
}

export function TextInput({ form, field, label, hint, path = field, type = "text", isMono, placeholder }: TextProps) {
  return (
    <Field label={label} hint={hint} error={form.errorOf(path)}>
      {(props) => (
        <input
          {...props}
          type={type}
          class={isMono ? "mono" : undefined}
          autocomplete={type === "password" ? "new-password" : "off"}
          spellcheck={false}
          min={type === "number" ? 0 : undefined}
          placeholder={placeholder}
          value={form.draft[field]}
          onInput={({ currentTarget }) => form.set({ [field]: currentTarget.value })}
        />
      )}
    </Field>
  );
}

export function AreaInput({
  form,
  field,
  label,
  hint,
  path = field,
  rows = 3,
  placeholder,
}: InputProps & { rows?: number; placeholder?: string }) {
  return (
    <Field label={label} hint={hint} error={form.errorOf(path)}>
      {(props) => (
        <textarea
          {...props}
          rows={rows}
          spellcheck={false}
          placeholder={placeholder}
          value={form.draft[field]}
          onInput={({ currentTarget }) => form.set({ [field]: currentTarget.value })}
        />
      )}
    </Field>
  );
}

interface SelectProps extends InputProps {
  options: readonly (readonly [value: string, word: string])[];
}

export function SelectInput({ form, field, label, hint, path = field, options }: SelectProps) {
  return (
    <Field label={label} hint={hint} error={form.errorOf(path)}>
      {(props) => (
        <select
          {...props}
          value={form.draft[field]}
          onChange={({ currentTarget }) => form.set({ [field]: currentTarget.value })}
        >
          {options.map(([value, word]) => (
            <option value={value} key={value}>
              {word}
            </option>
          ))}
        </select>
      )}
    </Field>
  );
}

interface CheckProps {
  label: string;
  hint?: ComponentChildren;
  error?: string | undefined;
  isChecked: boolean;
  onChange: (isChecked: boolean) => void;
}

export function CheckInput({ label, hint, error, isChecked, onChange }: CheckProps) {
  return (
    <div class="field">
      <label class="row check">
        <input type="checkbox" checked={isChecked} onChange={({ currentTarget }) => onChange(currentTarget.checked)} />
        {label}
      </label>
      {hint && <div class="hint">{hint}</div>}
      {error && (
        <div class="error" role="alert">
          {error}
        </div>
      )}
    </div>
  );
}

interface FoldProps {
  form: WebhookForm;
  title: string;
  /** The contents in a few words. */
  about: string;
  /** Fields of the API inside: a refused one opens the section. */
  fields: readonly string[];
  isOpen: boolean;
  children: ComponentChildren;
}

/** A section that is closed until it is needed. */
export function Fold({ form, title, about, fields, isOpen, children }: FoldProps) {
  // A section that was opened stays open when its error is mended: typing must not fold it.
  const wasOpen = useRef(false);
  wasOpen.current ||= isOpen || fields.some((field) => form.errorOf(field) !== undefined);
  return (
    <details class="panel fold" open={wasOpen.current}>
      <summary>
        <strong>{title}</strong> <span class="quiet">{about}</span>
      </summary>
      <div class="section">{children}</div>
    </details>
  );
}
