import { useState } from "preact/hooks";
import { Field } from "../../../components/field.tsx";
import { type Answers, answerError, applyPreset, isAnswered, type Preset } from "./apply-preset.ts";
import { PRESETS } from "./presets.ts";
import type { WebhookForm } from "./use-form.ts";

/** Services that the form knows. Choosing one fills the fields; its questions keep them up to date. */
export function PresetPicker({ form, onPick }: { form: WebhookForm; onPick: () => void }) {
  const [preset, setPreset] = useState<Preset>(PRESETS[0]!);
  const [answers, setAnswers] = useState<Answers>({});
  const pick = (next: Preset) => {
    // Settings that only the last preset had must not stay.
    const cleared = { url: "", headers: "", filter: "", transform: "", rateMax: "", ratePerSeconds: "" };
    const given = Object.fromEntries(next.asks.map(({ id }) => [id, ""]));
    setPreset(next);
    setAnswers(given);
    form.set({ ...(preset !== next && cleared), ...applyPreset(next, given) });
    form.setAnswered(isAnswered(next, given));
    onPick();
  };
  const answer = (id: string, value: string) => {
    const next = { ...answers, [id]: value };
    setAnswers(next);
    form.set(applyPreset(preset, next));
    form.setAnswered(isAnswered(preset, next));
  };
  return (
    <section class="section panel" aria-labelledby="preset-title">
      <h2 id="preset-title">Where to</h2>
      <fieldset class="presets" aria-labelledby="preset-title">
        {PRESETS.map((one) => (
          <button type="button" key={one.id} class="button" aria-pressed={one === preset} onClick={() => pick(one)}>
            {one.name}
          </button>
        ))}
      </fieldset>
      <p class="quiet">{preset.about}</p>
      {preset.asks.map((ask) => {
        const value = answers[ask.id] ?? "";
        return (
          <Field
            key={`${preset.id}-${ask.id}`}
            label={ask.label}
            hint={ask.hint}
            error={value === "" ? undefined : answerError(ask, value)}
          >
            {(props) => (
              <input
                {...props}
                class="mono"
                type={ask.isSecret && !ask.isUrl ? "password" : "text"}
                autocomplete="off"
                spellcheck={false}
                placeholder={ask.example}
                value={value}
                onInput={({ currentTarget }) => answer(ask.id, currentTarget.value)}
              />
            )}
          </Field>
        );
      })}
      {preset.note && <p class="small quiet">{preset.note}</p>}
    </section>
  );
}
