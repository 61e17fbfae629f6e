import { useState } from "preact/hooks";
import { type InputValues, inputError, PRESETS, type Preset } from "../../../../../src/presets/index.ts";
import { Field } from "../../../components/field.tsx";
import { CLEARED, draftOfPreset, isAnswered, PLAIN } from "./apply-preset.ts";
import type { WebhookForm } from "./use-form.ts";

/** Services that the form knows. Choosing one fills the fields; its inputs keep them up to date. */
export function PresetPicker({ form, onPick }: { form: WebhookForm; onPick: () => void }) {
  const [preset, setPreset] = useState<Preset>(PLAIN);
  const [values, setValues] = useState<InputValues>({});
  const pick = (next: Preset) => {
    setPreset(next);
    setValues({});
    form.set({ ...(preset !== next && CLEARED), ...draftOfPreset(next, {}) });
    form.setAnswered(isAnswered(next, {}));
    onPick();
  };
  const answer = (id: string, value: string) => {
    const next = { ...values, [id]: value };
    setValues(next);
    form.set(draftOfPreset(preset, next));
    form.setAnswered(isAnswered(preset, next));
  };
  return (
    <section class="section panel" aria-labelledby="preset-title">
      <h2 id="preset-title">Where to</h2>
      <fieldset class="presets" aria-labelledby="preset-title">
        {[PLAIN, ...PRESETS].map((one) => (
          <button type="button" key={one.id} class="button" aria-pressed={one === preset} onClick={() => pick(one)}>
            {one.title}
          </button>
        ))}
      </fieldset>
      <p class="quiet">
        {preset.description}{" "}
        {preset.docs !== "" && (
          <a href={preset.docs} target="_blank" rel="noreferrer">
            Format
          </a>
        )}
      </p>
      {preset.inputs.map((input) => {
        const value = values[input.id] ?? "";
        return (
          <Field
            key={`${preset.id}-${input.id}`}
            label={input.label}
            hint={input.default === undefined ? input.hint : `Optional. ${input.hint}`}
            error={value === "" ? undefined : inputError(input, value)}
          >
            {(props) => (
              <input
                {...props}
                class="mono"
                type={input.isSecret && !input.isUrl ? "password" : "text"}
                autocomplete="off"
                spellcheck={false}
                placeholder={input.default || input.example}
                value={value}
                onInput={({ currentTarget }) => answer(input.id, currentTarget.value)}
              />
            )}
          </Field>
        );
      })}
      {preset.note && <p class="small quiet">{preset.note}</p>}
    </section>
  );
}
